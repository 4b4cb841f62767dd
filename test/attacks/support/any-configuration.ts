import fc from 'fast-check'

const SECRET = 'a shared secret that is long enough for everybody'
const KEY = 'an encryption key of at least thirty-two characters'
const auth = { authType: 'jwt', jwt: { secret: SECRET, audience: 'mcp' } }

/** Everything that a configuration can be made of, and the workspaces made under it. */
export interface Given {
  readonly host: string
  readonly config: Readonly<Record<string, unknown>>
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, unknown>>
  readonly inFile: readonly unknown[]
  readonly overApi: readonly unknown[]
}

/** Nothing configured; one workspace in the file and one over `/api`. */
export const nothing: Given = {
  host: '127.0.0.1',
  config: {},
  flags: {},
  env: {},
  inFile: [undefined],
  overApi: [undefined],
}

/** Mostly the first ones, so that many configurations start, and now and then an odd one. */
function mostly(usual: readonly unknown[], odd: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 16, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  )
}

const anyAuth = mostly(
  [undefined, auth, { authType: 'none' }],
  [
    { authType: 'none', jwt: { secret: SECRET } },
    { authType: 'jwt' },
    { authType: 'jwt', jwt: [] },
    { authType: 'jwt', jwt: { secret: '' } },
    { authType: 'jwt', jwt: { secret: 'short' } },
    { authType: 'jwt', jwt: { secret: SECRET, issuer: [] } },
    { authType: 'jwt', jwt: [{ secret: SECRET, issuer: 'https://a.example' }, { secret: KEY }] },
    { authType: 'jwt', jwt: { jwksUrl: 'https://127.0.0.1:1/jwks', audience: 'mcp' } },
    { authType: 'jwt', jwt: { jwksUrl: 'https://127.0.0.1:1/jwks' } },
    { authType: 'jwt', jwt: { secret: SECRET, requireValidSignature: false } },
    { authType: 'jwt', jwt: { secret: SECRET, allowExpiredTokens: true } },
    { authType: 'jwt', jwt: { secret: SECRET, algorithms: [] } },
    { authType: '' },
    {},
    null,
  ],
)

/** Configurations good and bad. */
export const anyConfiguration: fc.Arbitrary<Given> = fc.record({
  host: fc.constantFrom('127.0.0.1', '127.0.0.1', 'localhost', '0.0.0.0', '::'),
  config: fc.record({
    auth: anyAuth,
    publicUrl: mostly([undefined, 'https://mcp.example'], ['http://localhost:8080', '']),
    allowedHosts: mostly([undefined, ['mcp.example']], [['localhost'], [], ['*'], '']),
    allowedOrigins: mostly([undefined], [['https://app.example'], ['null'], '*', []]),
    encryptionKey: mostly([undefined, KEY], ['', 'short']),
  }),
  flags: fc.record({
    authType: mostly([undefined], ['none', 'jwt', '', 'NONE']),
    secret: mostly([undefined], [SECRET, '', 'short']),
    audience: mostly([undefined], ['mcp', '']),
    allowAnyAudience: mostly([undefined], [true]),
    requiredScopes: mostly([undefined], [['mcp'], []]),
  }),
  env: fc.record({
    NODE_ENV: mostly(['', 'development'], ['production', 'test']),
    JWT_SECRET: mostly([''], [SECRET, 'short']),
    JWT_AUDIENCE: mostly([''], ['mcp']),
    JWT_ISSUER: mostly([''], ['https://issuer.example']),
    JWKS_URL: mostly([''], ['https://127.0.0.1:1/jwks']),
  }),
  inFile: fc.array(anyAuth, { maxLength: 2 }),
  overApi: fc.array(anyAuth, { maxLength: 2 }),
})

/** Whether a workspace may be open to everybody: read off the input alone, not from what the gateway made of it. */
export function mayBeOpen({ host, config, flags, env }: Given, own: unknown): boolean {
  const isNone = (value: unknown) => JSON.stringify(value)?.includes('"authType":"none"') === true
  if (own !== undefined) return isNone(own)
  if (isNone(config['auth']) || flags['authType'] === 'none') return true
  const saysSomething =
    config['auth'] !== undefined ||
    Object.values(flags).some((value) => value !== undefined) ||
    ['JWT_SECRET', 'JWT_AUDIENCE', 'JWT_ISSUER', 'JWKS_URL'].some((name) => (env[name] ?? '') !== '')
  const isPublic = /mcp\.example/.test(JSON.stringify(config)) || host === '0.0.0.0' || host === '::'
  return !saysSomething && !isPublic
}
