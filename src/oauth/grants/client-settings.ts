import * as z from 'zod'
import { redirectProblem } from '../client-policy.ts'
import { type GRANT_TYPE_OF, UNATTENDED } from './grant-types.ts'

const GRANT_NAMES = [
  ...(['authorization_code', 'refresh_token', 'client_credentials'] as const),
  ...(['device_code', 'token_exchange', 'jwt_bearer'] as const),
] satisfies readonly (keyof typeof GRANT_TYPE_OF)[]

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/** A key that anybody may see: a private or a shared one would be nobody's proof. */
const publicJwk = z
  .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) })
  .refine((jwk) => PRIVATE_MEMBERS.every((name) => !Object.hasOwn(jwk, name)), {
    message: 'give the public half of the key only',
  })

/** As for a client that registers: or nobody would hear of it before the first person is sent there. */
const redirectUri = z.string().superRefine((uri, context) => {
  const message = redirectProblem(uri)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

/** A client that the operator knows: it is not marked as unverified, and it neither expires nor counts. */
export const oauthClientSettings = z
  .strictObject({
    id: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'plain characters without spaces, at most 200'),
    name: z.string().min(1).max(100).describe('What people read when they are asked.'),
    secret: z.string().min(32).max(500).optional().describe('For confidential clients, at least 32 characters.'),
    jwks: z
      .strictObject({ keys: z.array(publicJwk).min(1).max(20) })
      .optional()
      .describe('Public keys of a client that signs its assertions (private_key_jwt).'),
    jwksUrl: z
      .url({ protocol: /^https$/ })
      .optional()
      .describe('The same, fetched from there.'),
    redirectUris: z
      .array(redirectUri)
      .max(50)
      .default([])
      .describe('Where answers may go, exactly. Needed for authorization_code.'),
    grants: z
      .array(z.enum(GRANT_NAMES))
      .min(1)
      .default(['authorization_code', 'refresh_token'])
      .describe(`How it gets tokens: ${GRANT_NAMES.join(', ')}.`),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'a scope has plain characters without spaces'))
      .max(100)
      .default(['mcp'])
      .describe('The most that it gets where no person is asked.'),
    workspaces: z
      .array(z.string().min(1).max(200))
      .max(1_000)
      .default([])
      .describe('Where it gets tokens without a person being asked: last parts of their URLs, or `*` for all.'),
  })
  .superRefine((client, context) => {
    for (const message of problemsOf(client)) context.addIssue({ code: 'custom', message })
  })

export const oauthClientsSettings = z
  .array(oauthClientSettings)
  .max(1_000)
  .superRefine((clients, context) => {
    const ids = clients.map(({ id }) => id)
    const twice = ids.find((id, index) => ids.indexOf(id) !== index)
    if (twice !== undefined) context.addIssue({ code: 'custom', message: `two have the id ${twice}` })
  })

export type OAuthClientSettings = z.output<typeof oauthClientSettings>

type Given = Pick<
  OAuthClientSettings,
  'secret' | 'jwks' | 'jwksUrl' | 'redirectUris' | 'grants' | 'scopes' | 'workspaces'
>

function problemsOf({ secret, jwks, jwksUrl, redirectUris, grants, scopes, workspaces }: Given): readonly string[] {
  const proofs = [secret, jwks, jwksUrl].filter((one) => one !== undefined).length
  const unattended = grants.filter((grant) => UNATTENDED.includes(grant))
  const problems: string[] = []
  if (proofs > 1) problems.push('give one of secret, jwks and jwksUrl')
  if (grants.includes('authorization_code') && redirectUris.length === 0) {
    problems.push('authorization_code needs redirectUris')
  }
  if (unattended.length === 0) return problems
  // A public client is whoever says its name.
  if (proofs === 0) problems.push(`${unattended.join(', ')} needs a secret, jwks or jwksUrl`)
  if (workspaces.length === 0) {
    problems.push(`${unattended.join(', ')} needs workspaces: last parts of their URLs, or * for all`)
  }
  if (scopes.length === 0) problems.push(`${unattended.join(', ')} needs scopes`)
  return problems
}
