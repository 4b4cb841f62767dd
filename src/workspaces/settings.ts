import * as z from 'zod'
import { accessSettings } from './access-settings.ts'
import { allowSettings } from './allow-settings.ts'

/**
 * What a person may set on a workspace: one shape for `gatehouse.yaml`, the CLI and `/api`. Unknown keys are errors.
 * Values that are secrets stand here in plain text on their way in only; `workspace.ts` says how they are kept.
 */
const textOrList = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)])

export const jwtIssuerSettings = z
  .strictObject({
    secret: z.string().optional().describe('Shared secret for HS256, HS384, HS512; at least 32 characters.'),
    publicKey: z.string().optional().describe('Public key or certificate in PEM for RS*, PS*, ES*, EdDSA.'),
    jwksUrl: z.url().optional().describe('Where the key set is fetched (RFC 7517 §5).'),
    issuer: textOrList.optional().describe('Accepted `iss` values.'),
    audience: textOrList.optional().describe('Accepted `aud` values; needed with jwksUrl.'),
    allowAnyAudience: z
      .boolean()
      .default(false)
      .describe('Accept any `aud`. Every token of that issuer opens this workspace.'),
    algorithms: z.array(z.string()).min(1).optional().describe('Accepted `alg` values; default: all that fit the key.'),
    allowMissingKeyId: z
      .boolean()
      .default(false)
      .describe('Accept a token without `kid` when the key set has one key.'),
    clockToleranceSeconds: z.number().int().min(0).max(300).default(0).describe('Leeway for `exp` and `nbf`, seconds.'),
    userIdClaim: textOrList
      .default(['userId', 'sub'])
      .describe('The first of these claims that is present is the user id.'),
    requiredScopes: z.array(z.string().min(1)).default([]).describe('Every call needs all of these.'),
    cacheResults: z
      .boolean()
      .default(true)
      .describe('Remember the result of a verification, from a token’s second time on.'),
    cacheTtlMs: z
      .number()
      .int()
      .min(0)
      .max(3_600_000)
      .default(60_000)
      .describe('For how long, milliseconds; never past `exp`.'),
    allowExpiredTokens: z.boolean().default(false).describe('Only when NODE_ENV is test or development.'),
    requireValidSignature: z.boolean().default(true).describe('False only when NODE_ENV is test or development.'),
  })
  .refine((it) => [it.secret, it.publicKey, it.jwksUrl].filter((key) => key !== undefined).length === 1, {
    message: 'give exactly one of secret, publicKey, jwksUrl',
  })

/** Tokens of an OAuth provider that are no JWTs: it is asked whose they are (FEATURES.md, A30). */
export const userinfoSettings = z.strictObject({
  userinfoUrl: z.url().describe('Where the provider says whose a token is: OpenID Connect’s userinfo, or the like.'),
  issuer: z
    .string()
    .min(1)
    .max(200)
    .describe('The issuer of these callers, such as the provider’s URL. JWTs that name it as `iss` are asked for too.'),
  allow: allowSettings,
  allowAnyAudience: z
    .literal(true, { error: 'must be written as true: for whom a token was issued cannot be checked this way' })
    .describe(
      'True, written out: tokens that the provider’s people gave to any other service open this workspace too. MCP forbids that; use a JWT verifier where the provider has one.',
    ),
  subjectClaim: textOrList
    .transform((given) => [given].flat())
    .prefault('sub')
    .describe('The first of these in the answer that is present is the subject; `id` at GitHub.'),
  scopes: z.array(z.string().min(1)).default([]).describe('What these callers have.'),
  cacheTtlMs: z
    .number()
    .int()
    .min(0)
    .max(300_000)
    .default(300_000)
    .describe('How long an answer is remembered, milliseconds; never past the token’s end, where it says one.'),
})

export const devSettings = z.strictObject({
  defaultUser: z.string().min(1).max(200).default('dev-user').describe('Who calls, without `X-User-ID`.'),
  allowedUsers: z.array(z.string().min(1)).min(1).optional().describe('Who may be named. Default: anybody.'),
  scopes: z.array(z.string().min(1)).default([]).describe('What every caller has.'),
})

export const inboundAuthSettings = z.strictObject({
  authType: z
    .enum(['jwt', 'none', 'oauth', 'both', 'dev'])
    .describe(
      'How callers prove who they are. `none`: nobody is asked. `dev`: `X-User-ID` is believed, only when NODE_ENV is test or development. `oauth`: people sign in at our own authorization server. `both`: its tokens and those of `jwt`.',
    ),
  dev: devSettings.optional().describe('For authType dev.'),
  userinfo: userinfoSettings.optional().describe('Tokens that only their provider can read.'),
  jwt: z.union([jwtIssuerSettings.transform((one) => [one]), z.array(jwtIssuerSettings).max(20)]).default([]),
})

const pointer = z.string().regex(/^\/.*/, 'a JSON pointer starts with /')
const template = z.string()

/** How a login answers and what it is sent (PRODUCT.md, 15). Every field has a default that fits the common case. */
export const loginSettings = z.strictObject({
  body: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Login body; `{{name}}` takes a param. Default: username and password.'),
  refreshBody: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Refresh body; `{{refresh_token}}` takes the token.'),
  contentType: z.enum(['json', 'form']).default('json').describe('How the bodies are written.'),
  headers: z.record(z.string(), template).default({}).describe('Added to login and refresh; `{{name}}` takes a param.'),
  accessToken: pointer.optional().describe('Where the access token stands in the answer.'),
  refreshToken: pointer.optional().describe('Where the refresh token stands.'),
  expiresIn: pointer.optional().describe('Lifetime in seconds.'),
})

const none = z.strictObject({ type: z.literal('none') })

/** A key and where it goes; at most one place. */
const apiKey = z
  .strictObject({
    type: z.literal('apiKey'),
    header: z.string().optional(),
    query: z.string().min(1).max(200).optional(),
    cookie: z
      .string()
      .max(200)
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a cookie name has no such characters')
      .optional(),
    value: template,
  })
  .refine((it) => [it.header, it.query, it.cookie].filter((name) => name !== undefined).length <= 1, {
    message: 'give at most one of header, query, cookie',
  })

const basic = z.strictObject({ type: z.literal('basic'), username: template, password: template })

export const upstreamAuthSettings = z.discriminatedUnion('type', [
  none,
  z.strictObject({
    type: z.literal('bearer'),
    token: z
      .string()
      .default('')
      .describe('Static token. Empty with a `login_url` param: the token comes from the login.'),
    login: loginSettings.prefault({}),
  }),
  apiKey,
  basic,
])

/** The credential of one security scheme of the document. `none`: the API does not ask for it, whatever the document says. */
export const schemeCredentialSettings = z.discriminatedUnion('type', [
  none,
  z.strictObject({ type: z.literal('bearer'), token: template }),
  apiKey,
  basic,
])

const schemeName = z.string().min(1).max(200)

export const upstreamSettings = z.strictObject({
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Overrides the document’s own server.'),
  auth: upstreamAuthSettings
    .default({ type: 'none' })
    .describe(
      '`type`: `none`; `bearer` with `token` or a login; `apiKey` with `value` and `header` (default `X-Api-Key`), `query` or `cookie`; `basic`.',
    ),
  security: z
    .record(schemeName, schemeCredentialSettings)
    .default({})
    .describe(
      'Credentials of single security schemes of the document, by their names: `bearer` with `token`; `apiKey` with `value`, sent where the document says; `basic`; `none` where the document is wrong. Sealed.',
    ),
  headers: z
    .record(z.string(), template)
    .default({})
    .describe('Added to every upstream request; `{{name}}` takes a param.'),
  timeoutMs: z.number().int().min(100).max(600_000).default(30_000).describe('From dial to last byte, milliseconds.'),
  responseBytesMax: z
    .number()
    .int()
    .min(1024)
    .max(100_000_000)
    .default(5_000_000)
    .describe('A longer answer is a tool error.'),
})

const { baseUrl, auth, headers, timeoutMs, responseBytesMax } = upstreamSettings.shape

/** A change of `upstreamSettings`: no defaults, so that what is not mentioned stays. */
export const upstreamChange = z.strictObject({
  baseUrl: baseUrl.nullable().describe('Null: the document’s own server counts again.'),
  auth: auth.unwrap().optional().describe('Replaces the whole sign-in, secrets included.'),
  security: z
    .record(schemeName, schemeCredentialSettings.nullable())
    .optional()
    .describe('Null removes one; what is not mentioned stays.'),
  headers: headers.unwrap().optional().describe('Replaces all of them.'),
  timeoutMs: timeoutMs.unwrap().optional(),
  responseBytesMax: responseBytesMax.unwrap().optional(),
})

export const paramsSettings = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'letters, digits and _'),
  z.string().max(8192),
)

/** Which tools are on: a list of names, or all, or only those that read. Default: `reads` (writes are off until switched on). */
export const toolsSettings = z.union([z.literal('all'), z.literal('reads'), z.array(z.string())])

export type DevSettings = z.output<typeof devSettings>
export type UserinfoSettings = z.output<typeof userinfoSettings>
export type JwtIssuerSettings = z.output<typeof jwtIssuerSettings>
export type InboundAuthSettings = z.output<typeof inboundAuthSettings>
export type LoginSettings = z.output<typeof loginSettings>
export type UpstreamAuthSettings = z.output<typeof upstreamAuthSettings>
export type SchemeCredentialSettings = z.output<typeof schemeCredentialSettings>
export type UpstreamSettings = z.output<typeof upstreamSettings>
export type UpstreamChange = z.output<typeof upstreamChange>
export type ToolsSettings = z.output<typeof toolsSettings>

const most = z.number().int().min(1).max(1_000_000_000).optional()
const allowance = z.strictObject({ maxRequests: most, maxToolCalls: most })

/** How much callers may do (seed 003). Nothing is limited unless it stands here. */
export const rateLimitingSettings = z.strictObject({
  enabled: z.boolean().default(true).describe('False: none of this counts.'),
  windowMs: z.number().int().min(1_000).max(86_400_000).default(60_000).describe('Length of the window, milliseconds.'),
  maxRequests: most.describe('Requests of one caller in a window.'),
  maxToolCalls: most.describe('Tool calls of one caller in a window.'),
  maxRequestsPerAddress: most.describe('Requests of all callers behind one address in a window.'),
  anonymous: allowance.optional().describe('In place of these, for callers without a credential.'),
  admin: allowance.optional().describe('In place of these, for callers with `adminScope`.'),
  adminScope: z.string().min(1).default('admin').describe('The scope of an admin.'),
  tools: z
    .record(z.string(), z.number().int().min(1))
    .default({})
    .describe('Calls of one tool by one caller in a window, by the tool’s name.'),
})

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

/** Where the API description comes from. */
export const sourceSettings = z.union([
  z.strictObject({ url: z.url({ protocol: /^https?$/ }) }),
  z.strictObject({ document: z.string().min(1) }),
])

/** A whole workspace, as it is made. Everything but the name has a default. */
export const workspaceSettings = z.strictObject({
  name: z.string().trim().min(1).max(100).describe('What people call it.'),
  slug: z
    .string()
    .regex(SLUG, 'lower-case letters, digits and -, at most 40')
    .optional()
    .describe('Its part of the URL; never changes. Default: made from the name.'),
  source: sourceSettings.optional().describe('The API description; in the file a URL or a path.'),
  auth: inboundAuthSettings
    .optional()
    .describe('Who may call: `authType` and `jwt`. Default: the gateway’s own `auth`.'),
  access: accessSettings
    .prefault({})
    .describe('Who may call which tool. Default: every caller who is let in, every tool.'),
  rateLimiting: rateLimitingSettings
    .optional()
    .describe('How much callers may do. Default: the gateway’s own `rateLimiting`.'),
  upstream: upstreamSettings.prefault({}).describe('How the API is called.'),
  params: paramsSettings
    .default({})
    .describe('Values for `{{name}}`, and `login_url`, `refresh_url`, `username`, `password` of a login. Sealed.'),
  tools: toolsSettings
    .default('reads')
    .describe('Which tools are on: `all`, `reads` (GET and HEAD), or a list of names.'),
})

export type RateLimitingSettings = z.output<typeof rateLimitingSettings>
export type SourceSettings = z.output<typeof sourceSettings>
export type WorkspaceSettings = z.output<typeof workspaceSettings>

/** What was wrong with a value, one line a problem: `auth.jwt.0.secret: …`. Never repeats the value. */
export function problemsOf(error: z.ZodError): readonly string[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, []))
}

function problemsOfIssue(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): readonly string[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'invalid_union') {
    // Where the value is of the kind that one form wants, that form was meant, and what it says is of use.
    const [meant, other] = issue.errors.filter((form) => !form.some(isAboutKind))
    if (meant !== undefined && other === undefined) return meant.flatMap((one) => problemsOfIssue(one, path))
  }
  const where = path.length === 0 ? '' : `${path.map(String).join('.')}: `
  return [where + messageOf(issue)]
}

function isAboutKind({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')
}

function messageOf(issue: z.core.$ZodIssue): string {
  const inner = issue.code === 'invalid_union' ? issue.errors.flat() : issue.code === 'invalid_key' ? issue.issues : []
  const reasons = inner.map(({ message }) => message.replace('Invalid input: ', ''))
  return reasons.length === 0 ? issue.message : `${issue.message}: ${[...new Set(reasons)].join(', or ')}`
}
