import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import * as z from 'zod'
import { withGoogleFromEnvironment } from './config/google-from-environment.ts'
import { securityLoggingSettings } from './config/security-logging.ts'
import { withSessionStorage } from './config/session-storage.ts'
import { trustProxySettings } from './config/trust-proxy.ts'
import { unsafeAuth } from './config/unsafe-auth.ts'
import { GatewayError } from './errors.ts'
import { forwardedOrigins, hostNameOf } from './http/public-urls.ts'
import { slugOf } from './manage/workspace-manager.ts'
import { oauthSettings } from './oauth/settings.ts'
import { inboundAuthSettings, problemsOf, rateLimitingSettings, workspaceSettings } from './workspaces/settings.ts'

const list = z.union([z.string().transform((text) => text.split(',').map((item) => item.trim())), z.array(z.string())])
const allowList = list.pipe(z.array(z.string().min(1)).min(1, 'an empty list lets nobody in; leave it out instead'))
// Not z.coerce: it reads nothing, null and false as 0, and port 0 is another port at every start.
const digits = z.string().regex(/^\d+$/, 'expected number, digits only').transform(Number)
const wholeNumber = (min: number, max: number) => z.union([z.number(), digits]).pipe(z.int().min(min).max(max))
// As clients will write it: what is built on it is compared with what they send (RFC 9728 §3.3).
const ownUrl = z
  .url({ protocol: /^https?$/ })
  .transform((text) => new URL(text))
  .refine(({ username, password, search, hash }) => username + password + search + hash === '', {
    message: 'must have no user, query or fragment',
  })
  .transform(({ href }) => href.replace(/\/+$/, ''))

const HTTP = /^https?:\/\//i
const ANY_SCHEME = /^[a-z][a-z\d+.-]+:\/\//i

const fileWorkspace = workspaceSettings.omit({ source: true }).extend({
  source: z
    .string()
    .min(1)
    .refine((source) => HTTP.test(source) || !ANY_SCHEME.test(source), 'give an http or https URL, or a path')
    .optional()
    .describe('URL of the API description, or a path beside the config file.'),
})

/** Every option there is: type, default and what it means. Unknown keys are errors. Units stand in the names. */
export const configSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  port: wholeNumber(0, 65_535).prefault(8080).describe('Port to listen on; 0 takes a free one.'),
  publicUrl: ownUrl.optional().describe('How clients reach us, when not by host and port.'),
  dataDir: z.string().min(1).default('./data').describe('Folder of the embedded store.'),
  keysDir: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of the key files. Default: gatehouse in the user’s config folder.'),
  encryptionKey: z.string().optional().describe('Master secret for everything sealed, at least 32 characters.'),
  allowedHosts: allowList
    .optional()
    .describe(
      'Accepted Host names, besides publicUrl’s and this machine’s; `name:port` where a proxy is reached by another port.',
    ),
  privateHosts: allowList
    .optional()
    .describe(
      'Private hosts that people in `/api` may name, as `name` or `name:port`; the operator may name any. Cloud metadata stays out of reach.',
    ),
  allowedOrigins: allowList.optional().describe('Origins of pages that may call.'),
  trustProxy: trustProxySettings
    .prefault([])
    .describe(
      'Proxies whose X-Forwarded-For, -Proto and -Host count: addresses, networks, `loopback`, `private`. True: the last two. Default: nobody’s.',
    ),
  bodyBytesMax: wholeNumber(1024, 100_000_000).prefault(4_000_000).describe('Longest accepted request body.'),
  requestTimeoutMs: wholeNumber(1000, 600_000).prefault(30_000).describe('Time a client has to send a request.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
  logFormat: z.enum(['text', 'json']).default('text').describe('Log lines for people or for programs.'),
  recordArguments: z
    .enum(['redacted', 'names', 'none'])
    .default('redacted')
    .describe('What records keep of arguments.'),
  auth: inboundAuthSettings.optional().describe('How callers prove who they are, where a workspace does not say.'),
  rateLimiting: rateLimitingSettings
    .optional()
    .describe('How much callers may do, where a workspace does not say. Default: no limits.'),
  failedAuth: z
    .strictObject({
      max: z.number().int().min(1).max(1_000_000).default(20).describe('Refused credentials in a window.'),
      windowMs: z
        .number()
        .int()
        .min(1_000)
        .max(86_400_000)
        .default(60_000)
        .describe('Length of the window, milliseconds.'),
    })
    .optional()
    .describe('Refused credentials of one address, after which only known ones are let in. Default: no limit.'),
  oauth: oauthSettings.prefault({}).describe('The authorization server, for workspaces with authType oauth or both.'),
  auditRetentionDays: wholeNumber(1, 36_500).prefault(90).describe('How long the audit is kept, days.'),
  recordRetentionDays: wholeNumber(1, 36_500).prefault(90).describe('How long requests stay in the log, days.'),
  securityLogging: securityLoggingSettings
    .optional()
    .describe('A log of what concerns security, for whoever watches over it. Default: off.'),
  workspaces: z.array(fileWorkspace).default([]).describe('Workspaces that this file keeps.'),
})

/** The configuration as every other part gets it. */
export interface Config extends Omit<z.output<typeof configSchema>, 'workspaces' | 'keysDir' | 'encryptionKey'> {
  readonly keysDir: string
  /** Undefined: a key file in `keysDir` is read, or made. */
  readonly encryptionKey: string | undefined
  /** Workspaces the file keeps; `source` is absolute when it is a path. */
  readonly workspaces: readonly z.output<typeof fileWorkspace>[]
  /** `NODE_ENV` is `test` or `development`; unset counts as production for what weakens a check (PRODUCT.md, 10). */
  readonly isDevelopment: boolean
  /** `NODE_ENV` is `production`, written out. */
  readonly isProduction: boolean
}

export type FileWorkspace = z.output<typeof fileWorkspace>

/** Where a plain option can be given besides the file. Flags beat environment, environment beats the file. */
export const OPTION_NAMES = [
  { key: 'host', env: undefined, flag: '--host <address>' },
  { key: 'port', env: 'PORT', flag: '--port <number>' },
  { key: 'publicUrl', env: 'PUBLIC_URL', flag: '--public-url <url>' },
  { key: 'dataDir', env: 'DATA_DIR', flag: '--data-dir <folder>' },
  { key: 'keysDir', env: 'KEYS_DIR', flag: '--keys-dir <folder>' },
  { key: 'encryptionKey', env: 'ENCRYPTION_KEY', flag: undefined },
  { key: 'allowedHosts', env: 'ALLOWED_HOSTS', flag: '--allowed-hosts <list>' },
  { key: 'allowedOrigins', env: 'CORS_ORIGIN', flag: '--allowed-origins <list>' },
  { key: 'trustProxy', env: 'TRUST_PROXY', flag: '--trust-proxy <list>' },
  { key: 'logLevel', env: 'LOG_LEVEL', flag: '--log-level <level>' },
  { key: 'logFormat', env: 'LOG_FORMAT', flag: '--log-format <format>' },
] as const

/** The same for the one verifier that flags and environment can describe. */
export const AUTH_NAMES = [
  { key: 'jwksUrl', env: 'JWKS_URL', flag: '--jwks-url <url>', doc: 'Key set of the identity provider.' },
  {
    key: 'secret',
    env: 'JWT_SECRET',
    flag: '--jwt-secret <secret>',
    doc: 'Shared secret; better as @file or JWT_SECRET.',
  },
  { key: 'publicKey', env: 'JWT_PUBLIC_KEY', flag: '--public-key <pem>', doc: 'Public key in PEM, or @file.' },
  { key: 'issuer', env: 'JWT_ISSUER', flag: '--issuer <iss>', doc: 'Accepted iss.' },
  { key: 'audience', env: 'JWT_AUDIENCE', flag: '--audience <aud>', doc: 'Accepted aud; needed with --jwks-url.' },
] as const

/** What was given where. `flags` uses the keys of the schema, plus `jwtSecret`-style names for the verifier. */
export interface ConfigInput {
  readonly file?: string | undefined
  readonly flags?: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** This process's environment: the only place that reads it. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env
}

/**
 * Reads and checks the configuration.
 *
 * @throws GatewayError `config_invalid`: one line a problem, each says what to change; no secret is repeated.
 */
export function loadConfig({ file, flags = {}, env }: ConfigInput): Config {
  const fromFile = file === undefined ? {} : readConfigFile(file, env)
  const merged: Record<string, unknown> = { ...fromFile }
  for (const { key, env: name } of OPTION_NAMES) {
    const value = flags[key] ?? (name === undefined ? undefined : nonEmpty(env[name]))
    if (value !== undefined) merged[key] = value
  }
  const auth = verifierFrom(flags, env, { fileHasAuth: merged['auth'] !== undefined })
  if (auth !== undefined) merged['auth'] = auth
  const oauth = withSessionStorage(withGoogleFromEnvironment(merged['oauth'], env), env)
  if (oauth !== undefined) merged['oauth'] = oauth
  const parsed = configSchema.safeParse(merged)
  if (!parsed.success) throw invalid(problemsOf(parsed.error))
  const nodeEnv = env['NODE_ENV']
  const config: Config = {
    ...parsed.data,
    dataDir: resolve(parsed.data.dataDir),
    keysDir: keysFolder(parsed.data.keysDir, env),
    encryptionKey: parsed.data.encryptionKey,
    isDevelopment: nodeEnv === 'test' || nodeEnv === 'development',
    isProduction: nodeEnv === 'production',
  }
  const problems = unsafeChoices(config)
  if (problems.length > 0) throw invalid(problems)
  return config
}

/** Where a gateway of this configuration listens, and where it keeps its keys: what a command needs to talk to it. */
export type Connection = Pick<Config, 'host' | 'port' | 'keysDir'>

const CONNECTION_KEYS = ['host', 'port', 'keysDir'] as const

/**
 * The part of the configuration that names the gateway. The rest is neither read nor judged: its secrets may be in the
 * gateway's own environment only.
 *
 * @throws GatewayError `config_invalid`
 */
export function loadConnection({ file, flags = {}, env }: ConfigInput): Connection {
  const inFile = file === undefined ? {} : parseConfigFile(file)
  const chosen: Record<string, unknown> = {}
  for (const { key, env: name } of OPTION_NAMES) {
    if (!CONNECTION_KEYS.some((wanted) => wanted === key)) continue
    const given = flags[key] ?? (name === undefined ? undefined : nonEmpty(env[name]))
    const value = given ?? fillReferences(inFile[key], dirname(resolve(file ?? '')), env)
    if (value !== undefined) chosen[key] = value
  }
  const parsed = configSchema.pick({ host: true, port: true, keysDir: true }).safeParse(chosen)
  if (!parsed.success) throw invalid(problemsOf(parsed.error))
  return { ...parsed.data, keysDir: keysFolder(parsed.data.keysDir, env) }
}

/** Whether clients of other machines can reach us: by the address we listen on, or by a proxy whose name was allowed. */
export function isPublic(config: Pick<Config, 'host' | 'publicUrl' | 'allowedHosts' | 'trustProxy'>): boolean {
  if (!isLoopback(config.host)) return true
  // Whoever puts a proxy in front does not do it for this machine alone.
  if (config.trustProxy.length > 0) return true
  if (config.publicUrl !== undefined && !isLoopback(new URL(config.publicUrl).hostname)) return true
  return (config.allowedHosts ?? []).some((host) => !isLoopback(hostNameOf(host)))
}

/** Whether the name or address is this machine's own and nobody else's. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** What must not start (PRODUCT.md, 11). */
function unsafeChoices(config: Config): string[] {
  const problems = [...unsafeAuth(config)]
  if (isPublic(config) && config.auth === undefined) {
    problems.push(
      'auth: this gateway can be reached from other machines and no auth is configured. Set auth (or --jwks-url, --jwt-secret, --public-key), or write authType: none if everybody may call.',
    )
  }
  const auths = [config.auth, ...config.workspaces.map(({ auth }) => auth)]
  if (isPublic(config) && auths.some((auth) => auth?.authType === 'dev')) {
    problems.push('auth: authType dev believes everybody, so it works only where other machines cannot reach it.')
  }
  if (!isLoopback(config.host) && config.publicUrl === undefined && config.allowedHosts === undefined) {
    problems.push(
      'publicUrl: set it (or allowedHosts) to the name that clients use, so that other Host names can be refused.',
    )
  }
  const takesOAuth = auths.some((auth) => auth?.authType === 'oauth' || auth?.authType === 'both')
  // Proxies pass on what strangers write: what can become an issuer is for the operator to say.
  if (takesOAuth && forwardedOrigins(config)?.size === 0) {
    problems.push(
      'publicUrl: with authType oauth or both behind a proxy set it, or allowedHosts to the names that clients use.',
    )
  }
  for (const key of ['allowedHosts', 'allowedOrigins'] as const) {
    if (config[key]?.includes('*')) problems.push(`${key}: * is not allowed. Name each one.`)
  }
  if (config.allowedOrigins?.includes('null')) {
    problems.push('allowedOrigins: null is the origin of every sandboxed page, so it lets anybody in. Leave it out.')
  }
  if (config.isProduction && config.encryptionKey === undefined) {
    problems.push(
      'encryptionKey: with NODE_ENV=production ENCRYPTION_KEY must be set. Make one with: openssl rand -base64 48',
    )
  }
  const names = config.workspaces.map((workspace) => workspace.slug ?? slugOf(workspace.name))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) problems.push(`workspaces: ${twice} is there twice.`)
  return problems
}

/**
 * One verifier from flags and environment; it replaces the file's `auth`. Undefined when they say nothing about callers.
 * What asks for a check and names no key to check with is refused: left out in silence, everybody could call.
 */
function verifierFrom(
  flags: Readonly<Record<string, unknown>>,
  env: ConfigInput['env'],
  { fileHasAuth }: { readonly fileHasAuth: boolean },
): unknown {
  const { authType } = flags
  const flagKeys = [...AUTH_NAMES.map(({ key }) => key), 'allowAnyAudience', 'requiredScopes']
  const byFlag = flagKeys.filter((key) => flags[key] !== undefined)
  if (authType !== undefined && authType !== 'none' && authType !== 'jwt') throw invalid(['--auth: takes none or jwt.'])
  if (authType === 'none') {
    if (byFlag.length > 0) throw invalid(['--auth: none asks nobody for anything. Leave out the flags about tokens.'])
    return { authType }
  }
  const verifier: Record<string, unknown> = {}
  for (const { key, env: name } of AUTH_NAMES) {
    const value = flags[key] ?? nonEmpty(env[name])
    if (value !== undefined) verifier[key] = value
  }
  const isFromEnvironment = !fileHasAuth && Object.keys(verifier).length > 0
  for (const key of byFlag) verifier[key] = flags[key]
  if (['jwksUrl', 'secret', 'publicKey'].some((key) => key in verifier)) return { authType: 'jwt', jwt: verifier }
  if (authType === undefined && byFlag.length === 0 && !isFromEnvironment) return undefined
  const ways = AUTH_NAMES.slice(0, 3).map(({ flag, env: name }) => `${flag.split(' ', 1)} (${name})`)
  throw invalid([`auth: there is no key to check tokens with. Set one of ${ways.join(', ')}.`])
}

/** The user's own config folder by default, not the data folder: a copy of the data alone opens nothing (PRODUCT.md, 11). */
function keysFolder(given: string | undefined, env: ConfigInput['env']): string {
  return resolve(given ?? resolve(nonEmpty(env['XDG_CONFIG_HOME']) ?? resolve(homedir(), '.config'), 'gatehouse'))
}

function readConfigFile(file: string, env: ConfigInput['env']): Record<string, unknown> {
  const folder = dirname(resolve(file))
  const config = fillReferences(parseConfigFile(file), folder, env)
  if (!isObject(config)) return {}
  if (Array.isArray(config['workspaces'])) {
    config['workspaces'] = config['workspaces'].map((workspace: unknown) => withAbsoluteSource(workspace, folder))
  }
  return config
}

/** What the file says, references and all. */
function parseConfigFile(file: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new GatewayError('config_invalid', `The config file ${file} cannot be read.`, { cause: error })
  }
  let value: unknown
  try {
    value = parseYaml(text, { maxAliasCount: 100, logLevel: 'error' })
  } catch (error) {
    // The parser's message quotes the line, which may hold a secret; so would its warnings, which are off.
    throw new GatewayError('config_invalid', `${file} is not YAML${lineOf(error)}.`)
  }
  if (value === null) return {}
  if (!isObject(value)) throw new GatewayError('config_invalid', `${file} must hold keys and values.`)
  return value
}

/**
 * Replaces `{ $env: NAME }` and `{ $file: path }` by what they name. Only the operator's own file can say this; `${NAME}`
 * inside a text is a text (THREATS.md, T23).
 */
function fillReferences(value: unknown, folder: string, env: ConfigInput['env']): unknown {
  if (Array.isArray(value)) return value.map((item) => fillReferences(item, folder, env))
  if (!isObject(value)) return value
  const keys = Object.keys(value)
  if (keys.length === 1 && typeof value['$env'] === 'string') {
    const found = nonEmpty(env[value['$env']])
    if (found === undefined) throw invalid([`the environment variable ${value['$env']} is not set`])
    return found
  }
  if (keys.length === 1 && typeof value['$file'] === 'string') return readSecretFile(resolve(folder, value['$file']))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillReferences(item, folder, env)]))
}

/** The content of a file that holds one secret, without the line end that editors add. */
export function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (error) {
    throw new GatewayError('config_invalid', `${path} cannot be read.`, { cause: error })
  }
}

function withAbsoluteSource(workspace: unknown, folder: string): unknown {
  if (!isObject(workspace) || typeof workspace['source'] !== 'string') return workspace
  const { source } = workspace
  return { ...workspace, source: ANY_SCHEME.test(source) ? source : resolve(folder, source) }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value
}

function lineOf(error: unknown): string {
  if (!isObject(error) || !Array.isArray(error['linePos'])) return ''
  const [start] = error['linePos']
  return isObject(start) && typeof start['line'] === 'number' ? ` (line ${start['line']})` : ''
}

function invalid(problems: readonly string[]): GatewayError {
  return new GatewayError(
    'config_invalid',
    `The configuration is not usable:\n${problems.map((line) => `  ${line}`).join('\n')}`,
  )
}
