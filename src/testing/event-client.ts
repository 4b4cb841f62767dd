import { request } from 'node:http'
import { EventReader, type ServerEvent } from '../http/server-events.ts'

/** An open stream of events as a client sees it. */
export interface EventClient extends AsyncDisposable {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The next event or comment; undefined when the stream has ended. */
  next(): Promise<ServerEvent | undefined>
  /** The next event with data, parsed. */
  nextJson(): Promise<unknown>
  close(): void
}

/** Opens a stream. An answer that is no stream ends at once, its body as one event without data. */
export function openEvents(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Readonly<Record<string, string>>; body?: unknown } = {},
): Promise<EventClient> {
  const { promise, resolve, reject } = Promise.withResolvers<EventClient>()
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const outgoing = request(url, { method, headers: { accept: 'text/event-stream', ...type, ...headers }, agent: false })
  outgoing.on('response', (response) => {
    const reader = new EventReader(1_000_000)
    const come: ServerEvent[] = []
    let hasEnded = false
    let wake = Promise.withResolvers<void>()
    response.on('data', (chunk: Buffer) => {
      come.push(...(reader.read(chunk) ?? []))
      wake.resolve()
      wake = Promise.withResolvers()
    })
    response.on('close', () => {
      hasEnded = true
      wake.resolve()
    })
    const next = async (): Promise<ServerEvent | undefined> => {
      while (come.length === 0 && !hasEnded) await wake.promise
      return come.shift()
    }
    const close = () => void outgoing.destroy()
    resolve({
      status: response.statusCode ?? 0,
      headers: response.headers,
      next,
      nextJson: async () => {
        for (let event = await next(); event !== undefined; event = await next()) {
          if (event.data !== undefined) return JSON.parse(event.data)
        }
        throw new Error('The stream has ended.')
      },
      close,
      [Symbol.asyncDispose]: async () => close(),
    })
  })
  // After the answer has come this is our own `close`.
  outgoing.on('error', reject)
  outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}
