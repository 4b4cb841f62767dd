import * as z from 'zod'
import { AUDIT_ACTIONS, AUDIT_ACTORS, AUDIT_OUTCOMES } from '../records/audit-event.ts'
import { accessChange, accessSettings } from '../workspaces/access-settings.ts'
import {
  inboundAuthSettings,
  paramsSettings,
  rateLimitingSettings,
  sourceSettings,
  toolsSettings,
  upstreamChange,
  workspaceSettings,
} from '../workspaces/settings.ts'

/** The bodies of `/api`: what is accepted and what is answered. `/api/openapi.json` is made from these. */
export const createWorkspaceBody = workspaceSettings.meta({ id: 'NewWorkspace' })

export const changeWorkspaceBody = z
  .strictObject({
    name: z.string().trim().min(1).max(100).optional(),
    auth: inboundAuthSettings.nullable().optional().describe('Null: the gateway’s own setting counts.'),
    access: accessChange.optional().describe('What is not mentioned stays; what is, is replaced whole.'),
    rateLimiting: rateLimitingSettings.nullable().optional().describe('Null: the gateway’s own setting counts.'),
    upstream: upstreamChange.optional(),
    params: z.record(paramsSettings.keyType, z.string().max(8192).nullable()).optional().describe('Null removes one.'),
    tools: toolsSettings.optional(),
  })
  .meta({ id: 'WorkspaceChange' })

export const importBody = sourceSettings.optional().meta({ id: 'Import' })

export const switchToolsBody = z.record(z.string(), z.boolean()).meta({ id: 'ToolSwitches' })

const saved = z.object({ saved: z.literal(true) }).describe('A secret that is kept; no answer shows it.')

export const workspaceAnswer = z
  .object({
    id: z.string(),
    slug: z.string(),
    name: z.string(),
    url: z.string().describe('The MCP endpoint.'),
    keptBy: z.enum(['file', 'api']),
    auth: z.unknown(),
    access: accessSettings,
    rateLimiting: rateLimitingSettings.nullable(),
    upstream: z.unknown(),
    params: z.record(z.string(), saved),
    tools: toolsSettings,
    document: z.object({ url: z.string().nullable(), bytes: z.number(), importedAt: z.string() }).nullable(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Workspace' })

export const toolAnswer = z
  .object({
    name: z.string(),
    enabled: z.boolean(),
    method: z.string(),
    path: z.string(),
    description: z.string(),
    warning: z.string().optional().describe('Why it cannot be called as the workspace is set.'),
  })
  .meta({ id: 'Tool' })

export const toolsAnswer = z
  .object({
    tools: z.array(toolAnswer),
    setAside: z
      .array(z.object({ operation: z.string(), reason: z.string() }))
      .describe('Operations that are no tools.'),
    warnings: z.array(z.string()).describe('Names in `tools` and `access` that no tool has.'),
  })
  .meta({ id: 'Tools' })

export const importAnswer = z
  .object({
    workspace: workspaceAnswer,
    added: z.array(z.string()),
    removed: z.array(z.string()),
    changed: z.array(z.string()).describe('Tools whose text, schema or operation is another one than before.'),
    setAside: z.array(z.object({ operation: z.string(), reason: z.string() })),
    warnings: z.array(z.string()).describe('Tools that cannot be called as the workspace is set, and why.'),
  })
  .meta({ id: 'ImportResult' })

export const logLine = z.looseObject({
  seq: z.number().describe('Grows with every line; pass it as `after` or `before`.'),
  requestId: z.string(),
  kind: z.enum(['request', 'login', 'refresh']),
  at: z.number().describe('Start, milliseconds since the epoch.'),
  durationMs: z.number(),
  outcome: z.enum(['ok', 'tool_error', 'denied', 'failed']),
})

export const logsAnswer = z.object({ lines: z.array(logLine) }).meta({ id: 'Logs' })

const sequence = z.coerce.number().int().min(0).optional()

export const logsQuery = z.strictObject({
  workspace: z.string().optional().describe('Id or slug.'),
  kind: z.enum(['request', 'login', 'refresh']).optional(),
  outcome: z.enum(['ok', 'tool_error', 'denied', 'failed']).optional(),
  tool: z.string().optional(),
  requestId: z.string().optional(),
  before: sequence,
  after: sequence,
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

export const auditLine = z.looseObject({
  seq: z.number().describe('Place in the chain, without gaps.'),
  at: z.number().describe('Milliseconds since the epoch.'),
  action: z.string(),
  outcome: z.enum(AUDIT_OUTCOMES),
  actor: z
    .string()
    .describe(
      'admin_key, person (see subject, the id, and actorName, the e-mail), caller (see issuer and subject), config_file, system or anonymous.',
    ),
  changes: z.unknown().describe('What was changed; of secrets only that they were.'),
  count: z.number().describe('Denials that are alike are one line.'),
  previousHash: z.string().optional().describe('Of the line before, which may be another account’s: for the operator.'),
  hash: z.string(),
})

export const auditAnswer = z.object({ lines: z.array(auditLine) }).meta({ id: 'Audit' })

export const auditQuery = z.strictObject({
  workspace: z.string().optional().describe('Id or slug.'),
  action: z.enum(AUDIT_ACTIONS).optional(),
  outcome: z.enum(AUDIT_OUTCOMES).optional(),
  actor: z.enum(AUDIT_ACTORS).optional(),
  issuer: z.string().optional(),
  subject: z.string().optional(),
  requestId: z.string().optional(),
  since: z
    .union([z.iso.datetime({ offset: true }), z.iso.date()])
    .optional()
    .describe('A date, or a date and time.'),
  before: sequence,
  after: sequence,
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

const link = z.object({ seq: z.number(), hash: z.string() })

export const verifyAnswer = z
  .object({
    ok: z.boolean(),
    lines: z.number(),
    anchor: link.describe('The last line that has expired; place 0: none has.'),
    head: link.describe(
      'The last line. Note it elsewhere: it shows whether an older copy of the store was put in place.',
    ),
    problems: z.array(
      z.object({
        seq: z.number(),
        problem: z.enum(['changed', 'missing', 'misplaced', 'added', 'chain']),
        through: z.number().optional(),
      }),
    ),
  })
  .meta({ id: 'AuditVerification' })

export const problemAnswer = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    code: z.string(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })
