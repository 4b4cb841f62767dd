import { connect } from 'node:net'

/** A request that is written as it stands: no client tidies it up on the way. */
export interface RawRequest {
  readonly method?: string
  /** The request target, unencoded and unresolved. */
  readonly target: string
  /** Default `HTTP/1.1`. */
  readonly version?: string
  /** Lines `Name: value`. `Host` and `Connection: close` are added unless `bare`. */
  readonly headers?: readonly string[]
  readonly body?: string
  readonly bare?: boolean
}

/** The first answer on the connection; status 0 when it was closed without one. */
export interface RawAnswer {
  readonly status: number
  /** Names in lower case; of a repeated one the last. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** Everything that came back, further answers too. */
  readonly whole: string
}

/** Sends a request over its own connection and reads until the server closes it. */
export function sendRaw(origin: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(origin)
  const { method = 'GET', target, version = 'HTTP/1.1', headers = [], body = '', bare = false } = request
  const ours = bare ? [] : [`Host: ${host}`, 'Connection: close']
  const hasFraming = headers.some((line) => /^(?:transfer-encoding|content-length):/i.test(line))
  const framing = body === '' || hasFraming ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const text = [`${method} ${target} ${version}`, ...ours, ...headers, ...framing, '', body].join('\r\n')
  return exchangeBytes({ hostname, port: Number(port) }, text)
}

/** Writes bytes to a port and gives what comes back until the other side closes. */
export function exchangeBytes(
  to: { readonly hostname: string; readonly port: number },
  text: string,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ host: to.hostname.replace(/^\[|\]$/g, ''), port: to.port }, () => socket.write(text))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', () => socket.end())
    // A server that refuses a request may close before it was read to the end; what it said counts.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        resolve(parse(Buffer.concat(chunks).toString('latin1')))
      else reject(error)
    })
    socket.on('close', () => resolve(parse(Buffer.concat(chunks).toString('latin1'))))
  })
}

function parse(whole: string): RawAnswer {
  const end = whole.indexOf('\r\n\r\n')
  const [first = '', ...lines] = (end === -1 ? whole : whole.slice(0, end)).split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0)
  return { status, headers, body: end === -1 ? '' : whole.slice(end + 4), whole }
}
