import { GatewayError } from '../errors.ts'

/** Names that take the place of the address as a whole. */
const PLACE = ['url', 'host', 'port', 'socketPath'] as const

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Fills `oauth.sessionStorage` as the file has it, before it is checked: with the type `file` where only seed 003's
 * `sessionStorePath` is given, and for the type `redis` with REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD and REDIS_TLS, which
 * beat the file. Without the type `redis` these say nothing: they may be another program's.
 *
 * @throws GatewayError `config_invalid` for a port that is no number, or a REDIS_TLS that is neither true nor false.
 */
export function withSessionStorage(oauth: unknown, env: Environment): unknown {
  if (!isObject(oauth)) return oauth
  const { sessionStorePath } = oauth
  const given = oauth['sessionStorage'] ?? (sessionStorePath === undefined ? undefined : { type: 'file' })
  if (!isObject(given) || given['type'] !== 'redis') {
    return given === undefined ? oauth : { ...oauth, sessionStorage: given }
  }
  const inFile = given['redis'] ?? {}
  const inEnvironment = redisFrom(env)
  if (!isObject(inFile) || Object.keys(inEnvironment).length === 0) return oauth
  const isElsewhere = PLACE.some((name) => name in inEnvironment)
  const kept = Object.entries(inFile).filter(([name]) => !(isElsewhere && PLACE.some((place) => place === name)))
  return { ...oauth, sessionStorage: { ...given, redis: { ...Object.fromEntries(kept), ...inEnvironment } } }
}

function redisFrom(env: Environment): Readonly<Record<string, unknown>> {
  const [url, host, password] = [env['REDIS_URL'], env['REDIS_HOST'], env['REDIS_PASSWORD']]
  const [port, tls] = [env['REDIS_PORT'], env['REDIS_TLS']]
  if (port && !/^\d+$/.test(port)) throw invalid('REDIS_PORT must be a number.')
  if (tls && tls !== 'true' && tls !== 'false') throw invalid('REDIS_TLS takes true or false.')
  const values = {
    url: url || undefined,
    // A URL names the host and the port.
    host: url ? undefined : host || undefined,
    port: url || !port ? undefined : Number(port),
    password: password || undefined,
    // Off is what the address says by itself: rediss:// is TLS whatever stands here.
    tls: tls === 'true' ? true : undefined,
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(problem: string): GatewayError {
  return new GatewayError('config_invalid', `The configuration is not usable:\n  ${problem}`)
}
