import * as z from 'zod'

const email = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[\x21-\x3f\x41-\x7e]+@[a-z\d.-]+$/, 'an e-mail address, written out')
const domain = z
  .string()
  .trim()
  .toLowerCase()
  .regex(
    /^[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)+$/,
    'a domain such as example.com, without @ or *; each subdomain stands for itself',
  )

/** Who may come in. There is no default: whoever is not named stays out. */
export const allowSettings = z
  .union([
    z.literal('anyone'),
    z.strictObject({ emails: z.array(email).max(10_000).default([]), domains: z.array(domain).max(1_000).default([]) }),
  ])
  .refine((allow) => allow === 'anyone' || allow.emails.length + allow.domains.length > 0, {
    message: 'names nobody. Write emails or domains, or allow: anyone for everybody who has an account there',
  })
  .describe('Who may come in: `emails`, `domains`, or `anyone`, written out. Only e-mails count that were verified.')

export type AllowSettings = z.output<typeof allowSettings>
