/** One whole HTTP/1.1 answer at the start of some bytes. */
export interface HttpAnswer {
  readonly status: number
  readonly body: string
  readonly bytes: number
}

/**
 * Finds the whole answer that `received` (latin1, from the first byte of the head) starts with; undefined while some of it
 * is missing.
 *
 * @throws Error when the head has neither a length nor chunks: such an answer ends with the connection, which is not kept alive.
 */
export function findAnswer(received: string): HttpAnswer | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = received.slice(0, headEnd)
  const status = Number(head.slice(9, 12))
  const bodyStart = headEnd + 4
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    const bytes = bodyStart + Number(length)
    return received.length < bytes ? undefined : { status, body: received.slice(bodyStart, bytes), bytes }
  }
  if (status === 202 || status === 204) return { status, body: '', bytes: bodyStart }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error('An answer without a length.')
  return findChunks(received, { status, from: bodyStart })
}

/** How long the answer is, head and all, when its head is whole and says so. */
export function answerBytes(received: string): number | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  const length = headEnd < 0 ? undefined : /\r\ncontent-length: *(\d+)/i.exec(received.slice(0, headEnd))?.[1]
  return length === undefined ? undefined : headEnd + 4 + Number(length)
}

function findChunks(received: string, { status, from }: { status: number; from: number }): HttpAnswer | undefined {
  let body = ''
  let at = from
  while (true) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(received.slice(at, lineEnd), 16)
    const next = lineEnd + 2 + size + 2
    if (!(next <= received.length)) return undefined
    if (size === 0) return { status, body, bytes: next }
    body += received.slice(lineEnd + 2, next - 2)
    at = next
  }
}
