import { GatewayError } from '../errors.ts'
import type { World } from './probe.ts'

const STREAM_WAIT_MS = 3_000

/**
 * Opens a stream of the 2024 transport, which begins with an event at once. `silent`: the stream, or its head, did not come
 * in time. `none`: another answer.
 */
export async function listenForEvent(
  world: World,
  url: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<'event' | 'silent' | 'none'> {
  const heard = new AbortController()
  let seen: 'event' | 'silent' | 'none' = 'silent'
  const give = { handleEvent: () => heard.abort() }
  world.signal?.addEventListener('abort', give)
  try {
    await world.egress.send({
      method: 'GET',
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { 'user-agent': 'gatehouse-doctor', accept: 'text/event-stream', ...headers },
      reach: world.reach,
      timeoutMs: STREAM_WAIT_MS,
      responseBytesMax: 1024,
      mayStayOpen: true,
      signal: heard.signal,
      streamTo: ({ status, headers: head }) => {
        const isStream = status === 200 && String(head['content-type']).startsWith('text/event-stream')
        if (!isStream) seen = 'none'
        const take = () => {
          if (isStream) seen = 'event'
          heard.abort()
        }
        return { silenceMs: STREAM_WAIT_MS, take }
      },
    })
    return seen
  } catch (error) {
    // It ends by our own hand, by the deadline, or was never there: what was seen until then is the fact.
    const isCut = !(error instanceof GatewayError && error.code === 'upstream_timeout')
    return seen === 'silent' && isCut ? 'none' : seen
  } finally {
    world.signal?.removeEventListener('abort', give)
  }
}
