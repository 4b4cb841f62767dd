import { quoted } from '../identify/jwt-failure.ts'
import { askDiscover, rpcOf } from './mcp-probes.ts'
import { type Answer, ask, type World } from './probe.ts'
import { type Check, failed, passed } from './report.ts'
import { listenForEvent } from './stream.ts'

/** JSON-RPC code of 2026-07-28 for headers that disagree with the body. */
const HEADER_MISMATCH = -32020

/** Which eras of MCP are spoken, given the answer to `initialize`, and whether streams of events come through. */
export async function checkProtocol(
  world: World,
  url: URL,
  { initialized, headers }: { readonly initialized: Answer; readonly headers: Readonly<Record<string, string>> },
): Promise<readonly Check[]> {
  const modern = await askDiscover(world, url, headers)
  await endSession(world, url, initialized, headers)
  const isLegacy = rpcOf(initialized)?.result !== undefined
  const stream = isLegacy ? await checkStream(world, url, headers) : undefined
  return [checkEras(initialized, modern), ...(stream === undefined ? [] : [stream])]
}

/** Pure. */
function checkEras(legacy: Answer, modern: Answer): Check {
  if (rpcOf(modern)?.error?.code === HEADER_MISMATCH) return failed('protocol', 'mcp_headers_stripped')
  const version = rpcOf(legacy)?.result?.['protocolVersion']
  const spoken = [
    ...(rpcOf(legacy)?.result === undefined ? [] : [`initialize (${quoted(version)})`]),
    ...(rpcOf(modern)?.result === undefined ? [] : ['the stateless revision (2026-07-28)']),
  ]
  return spoken.length === 0
    ? failed('protocol', 'era_unknown')
    : passed('protocol', `It speaks ${spoken.join(' and ')}.`)
}

/** Only where the 2024 transport is offered beside the endpoint, as Gatehouse does: its stream begins with an event at once. */
async function checkStream(
  world: World,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<Check | undefined> {
  const beside = new URL(url)
  beside.pathname = /\/sse\/?$/.test(url.pathname) ? url.pathname : `${url.pathname.replace(/\/(?:mcp)?\/?$/, '')}/sse`
  switch (await listenForEvent(world, beside, headers)) {
    case 'event':
      return passed('stream', 'Streams of events come through at once.')
    case 'silent':
      return failed('stream', 'stream_buffered')
    case 'none':
      return undefined
  }
}

/** The session that our own question began is of no use to anybody. */
async function endSession(
  world: World,
  url: URL,
  initialized: Answer,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const session = initialized.ok ? initialized.header('mcp-session-id') : undefined
  if (session === undefined) return
  await ask(world, url, { method: 'DELETE', headers: { ...headers, 'mcp-session-id': session } })
}
