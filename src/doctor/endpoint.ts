import { askInitialize, isMcpAnswer, rpcOf } from './mcp-probes.ts'
import { type Answer, ask, type World } from './probe.ts'
import { listenForEvent } from './stream.ts'

/** What was seen at the address, without a credential. */
export interface EndpointFacts {
  readonly url: URL
  /** To `initialize`. */
  readonly answer: Answer
  /** Over the other of http and https, on the same port; asked only when the connection failed. */
  readonly otherScheme: Answer | undefined
  /** Paths of the same origin that do speak MCP; looked for only when this one does not. */
  readonly paths: readonly string[]
  /** The origin is a Gatehouse. */
  readonly isGatehouse: boolean
  /** The path takes GET for a stream of the 2024 transport. */
  readonly isLegacySse: boolean
}

/** Asks the address, and where it does not answer as it should, its neighbourhood. */
export async function lookAtEndpoint(world: World, url: URL): Promise<EndpointFacts> {
  const answer = await askInitialize(world, url)
  const facts = {
    ...{ url, answer, otherScheme: undefined },
    paths: [],
    isGatehouse: false,
    isLegacySse: false,
  }
  if (!answer.ok) return { ...facts, otherScheme: await askOtherScheme(world, url, answer) }
  if (isMcpAnswer(answer) || answer.status === 401 || answer.status >= 500) return facts
  // Not for a redirect, a refusal or a limit: those say themselves what they are.
  if (answer.status !== 404 && answer.status !== 405 && answer.status !== 200) return facts
  const others = candidates(url)
  const [found, isGatehouse, isLegacySse] = await Promise.all([
    Promise.all(others.map(async (path) => isMcpAnswer(await askInitialize(world, new URL(path, url))))),
    isGatehouseOrigin(world, url, answer),
    speaksSse(world, url),
  ])
  return { ...facts, paths: others.filter((_, index) => found[index]), isGatehouse, isLegacySse }
}

function candidates(url: URL): readonly string[] {
  const { pathname } = url
  const single = pathname.replace(/\/{2,}/g, '/')
  const cut = single.replace(/\/+$/, '')
  return [...new Set([single, cut, `${cut}/mcp`, '/mcp', '/'])].filter((path) => path !== pathname && path !== '')
}

function askOtherScheme(world: World, url: URL, { cause }: { readonly cause: string }): Promise<Answer | undefined> {
  const isUnclear = cause === 'connection_dropped' || cause === 'tls_failed' || cause === 'not_http'
  if (!isUnclear) return Promise.resolve(undefined)
  const other = new URL(url)
  // Setting the scheme would keep the port away when it is the scheme's own.
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  const scheme = url.protocol === 'https:' ? 'http' : 'https'
  return ask(world, new URL(`${scheme}://${other.hostname}:${port}${other.pathname}`))
}

/** Our own 404 is JSON-RPC, and our health check says so and nothing else. */
async function isGatehouseOrigin(world: World, url: URL, answer: Answer): Promise<boolean> {
  if (rpcOf(answer)?.error?.code !== -32001) return false
  const health = await ask(world, new URL('/health/live', url))
  return health.ok && health.text === '{"status":"ok"}'
}

async function speaksSse(world: World, url: URL): Promise<boolean> {
  return (await listenForEvent(world, url)) === 'event'
}
