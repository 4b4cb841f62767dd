import * as z from 'zod'
import { providerIdOf, signInProvidersSettings } from './federation/settings.ts'
import { oauthClientsSettings } from './grants/client-settings.ts'
import { enterpriseProviderSettings } from './grants/enterprise-settings.ts'
import { readableOn } from './pages/contrast.ts'
import { sessionStorageSettings } from './session-storage-settings.ts'

const seconds = (min: number, max: number) => z.number().int().min(min).max(max)
const httpsUrl = z.url({ protocol: /^https$/ })

export const brandingSettings = z.strictObject({
  name: z.string().trim().min(1).max(60).default('Gatehouse').describe('What people sign in to.'),
  logoUrl: httpsUrl.optional().describe('An https address of an image. Default: no image.'),
  color: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, 'a colour is written as #1f5fbf')
    .refine((color) => readableOn(color) !== undefined, 'neither black nor white text can be read on this colour')
    .default('#1f5fbf')
    .describe('Colour of the buttons.'),
})

export const registrationSettings = z.strictObject({
  enabled: z.boolean().default(true).describe('Clients may register themselves (RFC 7591).'),
  metadataDocuments: z.boolean().default(true).describe('A client may be the https URL of its own metadata.'),
  clientsMax: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Registered clients at a time; a tenth of it from one address.'),
  unusedSeconds: seconds(60, 31_536_000).default(86_400).describe('Life of a client that nobody allows.'),
  idleSeconds: seconds(3_600, 315_360_000).default(7_776_000).describe('Life of a client after its last use.'),
})

const settings = z.strictObject({
  providers: signInProvidersSettings.default([]),
  plainCallback: z
    .string()
    .optional()
    .describe('`id` of the provider that sends people back to /oauth/callback, as it was told for another program.'),
  adminUsers: z
    .array(z.email().transform((email) => email.toLowerCase()))
    .max(10_000)
    .default([])
    .describe('E-mail addresses that may get the scope of administrators, once they are verified.'),
  requireValidSession: z
    .boolean()
    .default(true)
    .describe('Signing out ends the access that was given in that session.'),
  clients: oauthClientsSettings.default([]).describe('Clients that need not register.'),
  enterpriseProviders: z
    .array(enterpriseProviderSettings)
    .max(100)
    .default([])
    .refine((providers) => new Set(providers.map(({ issuer }) => issuer)).size === providers.length, {
      message: 'two have the same issuer',
    })
    .describe('Identity providers of enterprises, that say which of their people use which workspaces (SEP-990).'),
  registration: registrationSettings.prefault({}),
  accessTokenTtlSeconds: seconds(60, 86_400).default(3_600).describe('Life of an access token.'),
  refreshTokenTtlSeconds: seconds(3_600, 31_536_000).default(604_800).describe('Life of a refresh token, unused.'),
  branding: brandingSettings.prefault({}),
  sessionStorage: sessionStorageSettings.prefault({}).describe('Where sessions are kept.'),
  sessionStorePath: z.string().min(1).optional().describe('Folder of the sessions of type file. Default: dataDir.'),
})

/** The authorization server (seed 003, `oauth`). Loaded only when a workspace has `authType` `oauth` or `both`. */
export const oauthSettings = settings.refine(
  ({ plainCallback, providers }) =>
    plainCallback === undefined || providers.some((provider) => providerIdOf(provider) === plainCallback),
  { path: ['plainCallback'], message: 'there is no such provider' },
)

export type OAuthSettings = z.output<typeof oauthSettings>
export type BrandingSettings = z.output<typeof brandingSettings>
