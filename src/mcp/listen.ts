import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { OpenStreams } from '../http/open-streams.ts'
import { type EventSink, messageEvent, type ServerEvent } from '../http/server-events.ts'
import type { CallerDescription, McpHandler, McpState } from './answer.ts'
import { isRecord, type RpcId, rpcResult } from './json-rpc.ts'
import type { Message } from './message.ts'
import { META_SERVER_INFO, META_SUBSCRIPTION_ID } from './revisions.ts'
import { ownerText, type SessionOwner } from './sessions.ts'
import type { SseSession } from './sse-sessions.ts'

const LIST_CHANGED = 'notifications/tools/list_changed'

/**
 * Answers a GET of the older era with a stream: changes of the tools, and over the 2024-11-05 transport every answer too.
 * Resolves when the stream has closed; that is at the latest when the caller's credential ends.
 */
export async function listen(
  exchange: Exchange,
  message: Extract<Message, { kind: 'listen' }>,
  caller: CallerDescription,
  state: McpState,
): Promise<void> {
  const isSse = message.over === 'sse'
  const stream = isSse ? openSseSession(exchange, caller, state).stream : openStream(exchange, caller, state.streams)
  await untilTold(stream, caller, state, () => stream.send(messageEvent(notification(LIST_CHANGED, {}))))
}

/**
 * Answers `subscriptions/listen` (2026-07-28): the acknowledgement first, with what of the wish is granted, then the changes
 * that were asked for, each with the subscription's id; at an end of ours the result.
 *
 * @throws GatewayError `invalid_params` when the wish is no object.
 */
export async function listenModern(
  exchange: Exchange,
  message: Extract<Message, { kind: 'request' }>,
  handler: McpHandler,
  state: McpState,
): Promise<void> {
  const wished = message.params['notifications']
  if (!isRecord(wished)) throw new GatewayError('invalid_params', 'Invalid params: notifications must be an object.')
  const granted = wished['toolsListChanged'] === true ? { toolsListChanged: true } : {}
  const meta = { _meta: { [META_SUBSCRIPTION_ID]: message.id } }
  const farewell = messageEvent(listenResult(message.id, handler))
  const caller = handler.describeCaller()
  const stream = openStream(exchange, caller, state.streams, farewell)
  const acknowledged = { notifications: granted, ...meta }
  stream.send(messageEvent(notification('notifications/subscriptions/acknowledged', acknowledged)))
  if (!('toolsListChanged' in granted)) {
    // Nothing could ever be said on it.
    stream.send(farewell)
    stream.end()
    return
  }
  await untilTold(stream, caller, state, () => stream.send(messageEvent(notification(LIST_CHANGED, meta))))
}

/** Whose share of open streams it counts for: nobody is told from another by name where nobody is asked for one. */
export function streamOwner(exchange: Pick<Exchange, 'clientAddress'>, owner: SessionOwner): string {
  return `${ownerText(owner)} ${owner.issuer === '' ? exchange.clientAddress : ''}`
}

/** Opens the answer as a stream that ends with the caller's credential. @throws GatewayError `unavailable` */
function openStream(
  exchange: Exchange,
  { owner, endsAt, isGood }: CallerDescription,
  streams: OpenStreams,
  farewell?: ServerEvent,
): EventSink {
  return streams.enter(streamOwner(exchange, owner)).watch(exchange.openEvents(), { endsAt, isGood, farewell })
}

/** Opens a session of the 2024-11-05 transport and tells the client where to POST to. @throws GatewayError `unavailable` */
export function openSseSession(
  exchange: Exchange,
  caller: CallerDescription,
  { streams, sse }: Pick<McpState, 'streams' | 'sse'>,
): SseSession {
  const session = sse.open(caller.owner, openStream(exchange, caller, streams))
  // A path, as clients of that time put it behind the origin they called.
  const below = new URL(caller.publicUrl()).pathname.replace(/\/$/, '')
  const path = `${below}${exchange.path.replace(/\/sse\/?$/, '/message')}?sessionId=${session.id}`
  session.stream.send({ raw: `event: endpoint\ndata: ${path}\n\n`, data: path })
  return session
}

async function untilTold(
  stream: EventSink,
  { owner }: CallerDescription,
  state: McpState,
  onChange: () => void,
): Promise<void> {
  const stop = state.changes.listen(owner.workspaceId, onChange)
  await untilClosed(stream)
  stop()
}

/** Resolves when the stream has closed, whoever closed it. */
export function untilClosed({ closed }: EventSink): Promise<void> {
  return new Promise((resolve) => {
    if (closed.aborted) resolve()
    else closed.addEventListener('abort', { handleEvent: resolve })
  })
}

function listenResult(id: RpcId, { server: { name, version } }: McpHandler): string {
  const _meta = { [META_SUBSCRIPTION_ID]: id, [META_SERVER_INFO]: { name, version } }
  return rpcResult(id, JSON.stringify({ resultType: 'complete', _meta }))
}

function notification(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params })
}
