import * as z from 'zod'
import { allowSettings } from '../../workspaces/allow-settings.ts'

/** `oauth.providers`: where people sign in. One shape a type of provider; the operator writes them, in the config file only. */
const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''))
const common = {
  id: z
    .string()
    .regex(/^[a-z\d](?:[a-z\d-]{0,38}[a-z\d])?$/, 'lower-case letters, digits and -, at most 40')
    .optional()
    .describe('In the redirect URL, /oauth/callback/<id>. Default: the type.'),
  name: z.string().trim().min(1).max(60).optional().describe('On the button. Default: by the type.'),
  clientId: z.string().min(1).describe('What the provider calls us.'),
  allow: allowSettings,
}
const clientSecret = z
  .string()
  .min(1)
  .describe('What the provider knows us by. Better { $env: NAME } or { $file: path }.')

export const googleSettings = z.strictObject({
  type: z.literal('google'),
  ...common,
  clientSecret,
  issuer: httpUrl.default('https://accounts.google.com').describe('Only for tests.'),
})

export const microsoftSettings = z.strictObject({
  type: z.literal('microsoft'),
  ...common,
  clientSecret,
  tenant: z
    .string()
    .trim()
    .toLowerCase()
    .regex(/^[a-z\d](?:[a-z\d.-]*[a-z\d])?$/)
    .describe(
      'The directory: its id or domain. `organizations`: any company’s; `consumers`: personal accounts; `common`: both.',
    ),
  baseUrl: httpUrl.default('https://login.microsoftonline.com').describe('For national clouds.'),
})

export const githubSettings = z.strictObject({
  type: z.literal('github'),
  ...common,
  clientSecret,
  baseUrl: httpUrl.default('https://github.com').describe('For GitHub Enterprise Server.'),
  apiUrl: httpUrl.optional().describe('Default: https://api.github.com, or /api/v3 under baseUrl.'),
})

export const oidcSettings = z
  .strictObject({
    type: z.literal('oidc'),
    ...common,
    issuer: z
      .url({ protocol: /^https?$/ })
      .describe('As the provider writes it in its id_tokens; /.well-known/openid-configuration is read under it.'),
    clientSecret: clientSecret.optional(),
    privateKey: z
      .string()
      .min(1)
      .optional()
      .describe('PEM of the key that we sign with in place of a secret (private_key_jwt). RSA, EC or Ed25519.'),
    privateKeyId: z.string().min(1).optional().describe('`kid` of that key at the provider.'),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope has no space and no quote'))
      .max(50)
      .default(['openid', 'email', 'profile'])
      .refine((scopes) => scopes.includes('openid'), { message: 'must hold openid' })
      .describe('What is asked for.'),
  })
  .refine((it) => [it.clientSecret, it.privateKey].filter((one) => one !== undefined).length === 1, {
    message: 'give exactly one of clientSecret, privateKey',
  })

export const signInProviderSettings = z.discriminatedUnion('type', [
  googleSettings,
  microsoftSettings,
  githubSettings,
  oidcSettings,
])

export const signInProvidersSettings = z
  .array(signInProviderSettings)
  .max(20)
  .superRefine((providers, context) => {
    const ids = providers.map(providerIdOf)
    const twice = ids.find((id, index) => ids.indexOf(id) !== index)
    if (twice === undefined) return
    context.addIssue({ code: 'custom', message: `two have the id ${twice}: give one an id of its own` })
  })
  .describe('Where people sign in.')

export type MicrosoftSettings = z.output<typeof microsoftSettings>
export type GithubSettings = z.output<typeof githubSettings>
export type OidcSettings = z.output<typeof oidcSettings>
export type GoogleSettings = z.output<typeof googleSettings>
export type SignInProviderSettings = z.output<typeof signInProviderSettings>

export function providerIdOf({ id, type }: Pick<SignInProviderSettings, 'id' | 'type'>): string {
  return id ?? type
}
