import { z } from 'zod'
import { securityLoggingSettings, securityWebhookSettings } from '../../src/config/security-logging.ts'
import { AUTH_NAMES, configSchema, OPTION_NAMES } from '../../src/config.ts'
import { githubSettings, googleSettings, microsoftSettings, oidcSettings } from '../../src/oauth/federation/settings.ts'
import { oauthClientSettings } from '../../src/oauth/grants/client-settings.ts'
import { enterpriseProviderSettings } from '../../src/oauth/grants/enterprise-settings.ts'
import { redisSettings, sessionStorageSettings } from '../../src/oauth/session-storage-settings.ts'
import { brandingSettings, oauthSettings, registrationSettings } from '../../src/oauth/settings.ts'
import { accessSettings, ruleSettings } from '../../src/workspaces/access-settings.ts'
import {
  devSettings,
  jwtIssuerSettings,
  loginSettings,
  upstreamSettings,
  userinfoSettings,
  workspaceSettings,
} from '../../src/workspaces/settings.ts'

/** The text of docs/reference/config.md, made from the schemas. `npm run docs` writes it, a test compares it. */
export function configReference(): string {
  return [
    '# Configuration',
    '',
    '<!-- Made by `npm run docs` from src/config.ts and src/workspaces/settings.ts. Do not edit. -->',
    '',
    'Flags beat environment, environment beats `gatehouse.yaml`, the file beats defaults. An unknown key is an error. In the file a value may be',
    '`{ $env: NAME }` or `{ $file: path }`; nothing inside a text is expanded. `gatehouse config check FILE` says what is wrong.',
    '',
    '## The gateway',
    '',
    table(['key', 'environment', 'flag', 'default', 'meaning'], gatewayRows()),
    '## `securityLogging`',
    '',
    table(['key', 'default', 'meaning'], rows(securityLoggingSettings)),
    '### `securityLogging.webhook`',
    '',
    table(['key', 'default', 'meaning'], rows(securityWebhookSettings)),
    '## `oauth`: the authorization server ([guide](../guide/oauth.md))',
    '',
    table(['key', 'default', 'meaning'], rows(oauthSettings)),
    '### `oauth.providers`: a list of these ([guide](../guide/sign-in-providers.md))',
    '',
    ...[googleSettings, microsoftSettings, githubSettings, oidcSettings].flatMap((provider) => [
      `\`type: ${provider.shape.type.value}\``,
      '',
      table(['key', 'default', 'meaning'], rows(provider).slice(1)),
    ]),
    '### `oauth.registration`',
    '',
    table(['key', 'default', 'meaning'], rows(registrationSettings)),
    '### `oauth.clients`: a list of these',
    '',
    table(['key', 'default', 'meaning'], rows(oauthClientSettings)),
    '### `oauth.enterpriseProviders`: a list of these',
    '',
    table(['key', 'default', 'meaning'], rows(enterpriseProviderSettings)),
    '### `oauth.branding`',
    '',
    table(['key', 'default', 'meaning'], rows(brandingSettings)),
    '### `oauth.sessionStorage` ([guide](../guide/sessions.md))',
    '',
    table(['key', 'default', 'meaning'], rows(sessionStorageSettings)),
    '### `oauth.sessionStorage.redis`, also `REDIS_URL`, `REDIS_HOST`, `REDIS_PORT`, `REDIS_PASSWORD`, `REDIS_TLS`',
    '',
    table(['key', 'default', 'meaning'], rows(redisSettings)),
    '## `auth.jwt`: one verifier of callers, or a list',
    '',
    'Exactly one of `secret`, `publicKey`, `jwksUrl`. Which verifier takes a token is decided by its `iss`.',
    '',
    table(['key', 'environment', 'flag', 'default', 'meaning'], authRows()),
    '## `auth.dev`, with `authType: dev`',
    '',
    table(['key', 'default', 'meaning'], rows(devSettings)),
    '## `auth.userinfo`: tokens that only their provider can read',
    '',
    table(['key', 'default', 'meaning'], rows(userinfoSettings)),
    '## A workspace',
    '',
    table(['key', 'default', 'meaning'], rows(workspaceSettings)),
    '### `access`: who may call which tool ([permissions](../guide/permissions.md))',
    '',
    table(['key', 'default', 'meaning'], rows(accessSettings)),
    '### `access.rules`: a list of these',
    '',
    table(['key', 'default', 'meaning'], rows(ruleSettings)),
    '### `upstream`',
    '',
    table(['key', 'default', 'meaning'], rows(upstreamSettings)),
    '### `upstream.auth.login`, with `type: bearer` and a `login_url` param',
    '',
    table(['key', 'default', 'meaning'], rows(loginSettings)),
  ].join('\n')
}

function gatewayRows(): readonly (readonly string[])[] {
  return rows(configSchema).map(([key = '', fallback = '', meaning = '']) => {
    const name = OPTION_NAMES.find((option) => `\`${option.key}\`` === key)
    return [key, code(name?.env), code(name?.flag), fallback, meaning]
  })
}

function authRows(): readonly (readonly string[])[] {
  return rows(jwtIssuerSettings).map(([key = '', fallback = '', meaning = '']) => {
    const name = AUTH_NAMES.find((option) => `\`${option.key}\`` === key)
    return [key, code(name?.env), code(name?.flag), fallback, meaning]
  })
}

function rows(schema: z.ZodType): readonly (readonly string[])[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return Object.entries(properties).map(([key, property]) => {
    const known = typeof property === 'object' ? property : {}
    const fallback = known.default === undefined ? '' : `\`${JSON.stringify(known.default)}\``
    return [`\`${key}\``, fallback, known.description ?? '']
  })
}

function code(text: string | undefined): string {
  return text === undefined ? '' : `\`${text}\``
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...body.map(line), ''].join('\n')
}
