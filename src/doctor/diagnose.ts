import { type Challenge, readChallenge } from './challenge.ts'
import { checkClock, clockDifferenceMs } from './check-clock.ts'
import { checkEndpoint } from './check-endpoint.ts'
import { checkIssuer, checkMetadata } from './check-metadata.ts'
import { checkKind, checkTimes, lookAtToken, type TokenFacts } from './check-token.ts'
import { checkCors } from './cors.ts'
import { lookAtEndpoint } from './endpoint.ts'
import { checkProtocol } from './eras.ts'
import { checkKeySet } from './keys.ts'
import { type IssuerFacts, lookAtIssuer, lookAtMetadata, type MetadataFacts } from './metadata.ts'
import { type Answered, ask, type World } from './probe.ts'
import { type Check, concealing, failed, passed, type Report, reportOf } from './report.ts'
import { tryToken } from './try-token.ts'
import { isOpenToReaders } from './urls.ts'

/** What the doctor is asked about. */
export interface Complaint {
  /** The endpoint, as the client has it. */
  readonly url: string
  /** The content of the token file, as it is. */
  readonly token?: string | undefined
  /** The origin of a page that is refused. */
  readonly origin?: string | undefined
}

const ISSUERS_MAX = 3
const SECRET_IN_QUERY = /^(?:access_)?token$|^api[-_]?key$|^key$|^secret$|^password$|^jwt$/i

/**
 * Says why a client is refused, from outside: by what anybody can see who calls the URL, and with a token by what its owner
 * can. The token goes to this URL only, and not over plain http to another machine. No text of the report holds it.
 */
export async function diagnose(complaint: Complaint, world: World): Promise<Report> {
  const token = complaint.token === undefined ? undefined : lookAtToken(complaint.token)
  const checks = await examine(complaint, token, { ...world, conceal: concealing(complaint.token) })
  return reportOf(checks, complaint.token)
}

async function examine(complaint: Complaint, token: TokenFacts | undefined, world: World): Promise<readonly Check[]> {
  const url = URL.parse(complaint.url.trim())
  const wrongUrl = checkUrl(url)
  if (url === null || wrongUrl !== undefined) return [wrongUrl ?? failed('url', 'url_invalid')]
  const endpoint = await lookAtEndpoint(world, url)
  const checks = [...checkEndpoint(endpoint)]
  const { answer } = endpoint
  const isClosed = checks.some(({ name, ok }) => !ok && (name === 'reach' || name === 'endpoint'))
  if (!answer.ok || isClosed) return [...checks, ...(token === undefined ? [] : checkAlone(token, world.now()))]
  const clock = checkClock(answer)
  if (clock !== undefined) checks.push(clock)
  const led = await whereItLeads(world, url)
  const { facts, ...surroundings } = await lookAround(led, url, answer)
  const tried =
    token === undefined ? undefined : await tryToken(world, { url, token, anonymous: answer, led, ...facts })
  // Whoever has a token is refused for what is wrong with it, before anybody asks where to get another.
  if (tried !== undefined) checks.push(...tried.checks)
  checks.push(...(tried?.isAccepted === true ? surroundings.checks.map(forTokenHolder) : surroundings.checks))
  if (complaint.origin !== undefined) checks.push(await checkCors(world, url, complaint.origin))
  const initialized = tried?.answer ?? answer
  if (initialized.ok && initialized.status === 200) {
    const headers = tried?.headers ?? {}
    checks.push(...(await checkProtocol(world, url, { initialized, headers })))
  }
  return checks
}

/**
 * How far the addresses reach that the endpoint names. A public one could otherwise send us to whatever listens on this
 * network (THREATS.md, T13); one that is private itself has its identity provider beside it.
 */
async function whereItLeads(world: World, url: URL): Promise<World> {
  const asStranger = { ...world, reach: 'person' } as const
  const answer = await ask(asStranger, url, { method: 'OPTIONS' })
  return !answer.ok && answer.cause === 'address_forbidden' ? world : asStranger
}

function checkUrl(url: URL | null): Check | undefined {
  if (url === null || !/^https?:$/.test(url.protocol)) return failed('url', 'url_invalid')
  const names = [...url.searchParams.keys()]
  const holdsSecret = url.username !== '' || url.password !== '' || names.some((name) => SECRET_IN_QUERY.test(name))
  return holdsSecret ? failed('url', 'url_holds_secret') : undefined
}

/** What can be said of a token when nobody can be asked about it. */
function checkAlone({ checks, jwt }: TokenFacts, now: number): readonly Check[] {
  if (jwt === undefined) return checks
  return [...checks, ...[checkKind(jwt), checkTimes(jwt, now)].filter((check) => check !== undefined)]
}

/** What an endpoint that wants a token says of where to get one. */
interface Surroundings {
  readonly checks: readonly Check[]
  readonly facts: {
    readonly metadata: MetadataFacts | undefined
    readonly issuers: readonly IssuerFacts[]
    /** The key set of the first issuer, when keys can be had there. */
    readonly keySet: string | undefined
    /** How far the endpoint's clock is ahead of ours. */
    readonly clockMs: number
  }
}

async function lookAround(world: World, url: URL, answer: Answered): Promise<Surroundings> {
  const clockMs = clockDifferenceMs(answer) ?? 0
  const challenge: Challenge | undefined = readChallenge(answer.header('www-authenticate'))
  if (answer.status !== 401) {
    return { checks: [], facts: { metadata: undefined, issuers: [], keySet: undefined, clockMs } }
  }
  const metadata = await lookAtMetadata(world, url, challenge)
  const checks = [...checkMetadata(metadata)]
  const servers = metadata.document?.authorization_servers ?? []
  const safe = servers.filter((server) => !isOpen(server)).slice(0, ISSUERS_MAX)
  const issuers = await Promise.all(safe.map((issuer) => lookAtIssuer(world, issuer)))
  checks.push(...issuers.map(checkIssuer))
  const [keySet] = issuers.map(({ document }) => document?.jwks_uri).filter((uri) => uri !== undefined)
  const keys = keySet === undefined ? undefined : await checkKeySet(world, keySet)
  if (keys !== undefined) checks.push(keys)
  else if (issuers.some(({ document }) => document !== undefined)) checks.push(failed('keys', 'keys_missing'))
  return { checks, facts: { metadata, issuers, keySet: keys?.ok === true ? keySet : undefined, clockMs } }
}

function isOpen(server: string): boolean {
  const url = URL.parse(server)
  return url !== null && isOpenToReaders(url)
}

/** What only matters to clients that have to get a token first. */
const FOR_SIGNING_IN: ReadonlySet<string | null> = new Set([
  ...['metadata_missing', 'issuer_unreachable', 'issuer_metadata_missing', 'keys_missing', 'pkce_missing'],
])

/** Whoever has a token that is taken needs nobody to tell where to get one. */
function forTokenHolder(check: Check): Check {
  if (!FOR_SIGNING_IN.has(check.cause)) return check
  return passed(check.name, `${check.finding} A client that has its token does not need it.`)
}
