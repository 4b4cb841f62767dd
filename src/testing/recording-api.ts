import { createServer, type IncomingMessage } from 'node:http'
import { close, listen, originOf, type Reply, sendReply } from '../test-api/wire.ts'

/** One request as it stood on the wire. */
export interface RecordedRequest {
  readonly method: string
  /** The request target, byte for byte. */
  readonly target: string
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[]
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

/** An API that writes down what reaches it, for tests about what must not. */
export interface RecordingApi extends AsyncDisposable {
  /** Its origin, without a slash at the end. */
  readonly url: string
  /** Every request, oldest first. */
  readonly seen: readonly RecordedRequest[]
  /** Connections that were ever opened, with or without a request. */
  readonly connections: () => number
}

/** Starts one on a free loopback port. It answers 200 `{"ok":true}` unless `answer` says otherwise. */
export async function startRecordingApi(
  answer: (request: RecordedRequest) => Reply = () => ({ status: 200, body: { ok: true } }),
): Promise<RecordingApi> {
  const seen: RecordedRequest[] = []
  let connections = 0
  const server = createServer((request, response) => {
    readText(request).then(
      (body) => {
        const { method = '', url: target = '', rawHeaders, headers } = request
        const recorded = { method, target, rawHeaders, headers, body }
        seen.push(recorded)
        sendReply(response, answer(recorded))
      },
      () => response.destroy(),
    )
  })
  server.on('connection', () => {
    connections += 1
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return {
    url: originOf('127.0.0.1', port),
    seen,
    connections: () => connections,
    [Symbol.asyncDispose]: () => close(server),
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}
