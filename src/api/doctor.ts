import * as z from 'zod'
import type { Account } from '../accounts/account.ts'
import type { CauseCode } from '../doctor/causes.ts'
import { CAUSES } from '../doctor/causes.ts'
import type { Report } from '../doctor/report.ts'
import type { Reach } from '../egress/egress.ts'
import { type Route, route } from './routes.ts'

function isCause(code: string): code is CauseCode {
  return Object.hasOwn(CAUSES, code)
}

const cause = z.custom<CauseCode>((code) => typeof code === 'string' && isCause(code)).meta({ type: 'string' })

export const doctorBody = z
  .strictObject({
    workspace: z.string().min(1).max(200).optional().describe('Id or slug: its settings are compared with the token.'),
    url: z.string().min(1).max(4_000).optional().describe('As the client has it. Default: the workspace’s own.'),
    token: z.string().max(65_536).optional().describe('The content of the token file. Kept nowhere and never shown.'),
    origin: z.string().min(1).max(400).optional().describe('Origin of a page that is refused.'),
  })
  .refine(({ workspace, url }) => workspace !== undefined || url !== undefined, 'give a workspace or a url')
  .meta({ id: 'Complaint' })

export const reportAnswer = z
  .object({
    checks: z.array(
      z.object({
        name: z.string(),
        ok: z.boolean(),
        finding: z.string(),
        cause: cause.nullable(),
        fix: z.string().nullable(),
      }),
    ),
    verdict: z.union([z.literal('ok'), cause]).describe('The cause to mend first, or ok.'),
  })
  .meta({ id: 'Diagnosis' })

/** Where the question comes from: whose workspaces it may name, and how far its probes may reach. */
export interface Patient {
  readonly account: Account
  readonly reach: Reach
  /** How whoever asks reaches us. */
  readonly publicUrl: string
}

export type Examine = (complaint: z.output<typeof doctorBody>, patient: Patient) => Promise<Report>

/** The doctor in `/api`: from where the gateway stands, with the settings of the workspace at hand. */
export function doctorRoutes(examine: Examine): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/doctor',
      summary: 'Say why a client is refused and what to change',
      needs: 'workspaces',
      status: 200,
      body: doctorBody,
      answer: reportAnswer,
      handle: ({ body, account, reach, publicUrl }) => examine(body, { account, reach, publicUrl }),
    }),
  ]
}
