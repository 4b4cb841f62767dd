import * as z from 'zod'
import { untrustedUrl } from '../../identify/key-set-url.ts'

/** An identity provider of an enterprise, that decides which of its people use which workspaces (SEP-990). */
export const enterpriseProviderSettings = z.strictObject({
  issuer: z.url({ protocol: /^https?$/ }).describe('`iss` of its assertions, exactly.'),
  jwksUrl: z
    .string()
    .max(2000)
    .superRefine((url, context) => {
      const problem = untrustedUrl(url, 'operator')
      if (problem !== undefined) context.addIssue({ code: 'custom', message: `jwksUrl ${problem}` })
    })
    .describe('Where its keys are fetched (RFC 7517 §5).'),
  clients: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(1_000)
    .describe('Ids of `oauth.clients` that may bring its assertions. Each needs the grant jwt_bearer.'),
  domains: z
    .array(
      z
        .string()
        .trim()
        .toLowerCase()
        .regex(/^[a-z\d-]+(?:\.[a-z\d-]+)+$/, 'a domain such as example.com'),
    )
    .min(1)
    .max(1_000)
    .describe('Of the e-mail addresses that it may vouch for. Each subdomain stands for itself.'),
  emailClaim: z.string().min(1).max(100).default('email').describe('The claim with the person’s e-mail address.'),
})

export type EnterpriseProviderSettings = z.output<typeof enterpriseProviderSettings>
