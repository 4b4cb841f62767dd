import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createNetServer, type Server, type Socket } from 'node:net'
import { CAUSES } from '../../src/doctor/causes.ts'
import { type Complaint, diagnose } from '../../src/doctor/diagnose.ts'
import type { Report } from '../../src/doctor/report.ts'
import { createEgress } from '../../src/egress/create-egress.ts'
import type { Certificate } from './certificate.ts'

export interface Listening extends AsyncDisposable {
  readonly url: string
  readonly port: number
}

/** A server of any kind on a free port of this machine. */
export async function listening(server: Server, scheme = 'http'): Promise<Listening> {
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  server.on('connection', track)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port } = address
  return {
    ...{ url: `${scheme}://127.0.0.1:${port}`, port },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

export function serve(listener: RequestListener): Promise<Listening> {
  return listening(createServer(listener))
}

export function serveTls(certificate: Certificate, listener: RequestListener): Promise<Listening> {
  return listening(createTlsServer({ ...certificate }, listener), 'https')
}

export function serveRaw(onSocket: (socket: Socket) => void): Promise<Listening> {
  return listening(
    createNetServer((socket) => {
      socket.on('error', () => socket.destroy())
      onSocket(socket)
    }),
  )
}

/** A port that nothing listens on any more. */
export async function closedPort(): Promise<string> {
  const server = await serveRaw(() => {})
  await server[Symbol.asyncDispose]()
  return server.url
}

/** Answers every request alike. */
export function always(status: number, headers: Readonly<Record<string, string>> = {}, body = ''): RequestListener {
  return (_request, response) => void response.writeHead(status, { ...headers }).end(body)
}

/** What a proxy does to what it passes on. */
export interface Meddling {
  readonly dropRequestHeaders?: readonly string[]
  readonly dropHeaders?: readonly string[]
  readonly setHeaders?: Readonly<Record<string, string>>
  readonly path?: (path: string) => string
  /** True: answered by the proxy itself. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Holds an answer back until it is whole. */
  readonly buffers?: boolean
}

/** A reverse proxy as people put one in front; it passes Host on as it came. */
export function proxyTo(target: () => string, meddling: () => Meddling = () => ({})): RequestListener {
  return (incoming, response) => {
    const { dropRequestHeaders = [], dropHeaders = [], setHeaders = {}, path, answer, buffers = false } = meddling()
    if (answer?.(incoming, response) === true) return
    const headers = { ...incoming.headers }
    for (const name of dropRequestHeaders) delete headers[name]
    const { pathname, search } = new URL(incoming.url?.replace(/^\/+/, '/') ?? '/', 'http://x')
    const raw = incoming.url ?? '/'
    const to = path === undefined ? raw : path(pathname) + search
    const base = new URL(target())
    const options = { hostname: base.hostname, port: base.port, path: to, method: incoming.method ?? 'GET', headers }
    const outgoing = request(options, (answered) => {
      const kept = { ...answered.headers, ...setHeaders }
      for (const name of dropHeaders) delete kept[name]
      const chunks: Buffer[] = []
      if (!buffers) response.writeHead(answered.statusCode ?? 502, kept)
      if (!buffers) response.flushHeaders()
      answered.on('data', (chunk: Buffer) => void (buffers ? chunks.push(chunk) : response.write(chunk)))
      answered.on('error', () => response.destroy())
      answered.on('end', () => {
        if (buffers) response.writeHead(answered.statusCode ?? 502, kept)
        response.end(Buffer.concat(chunks))
      })
    })
    outgoing.on(
      'error',
      () => void response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>'),
    )
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  }
}

/** Clocks of the doctor's deadlines run so much faster, so that nobody waits for what never comes. */
const HASTE = 10

/** Runs the doctor as the command does. Names that end in `.example` or `.localhost` lead to this machine. */
export async function examine(complaint: Complaint, { hasty = false } = {}): Promise<Report> {
  const resolveHost = async (name: string) => {
    if (/\.(?:example|localhost)$|^localhost$/.test(name)) return [{ address: '127.0.0.1', family: 4 as const }]
    throw Object.assign(new Error('unknown'), { code: 'ENOTFOUND' })
  }
  const egress = createEgress({ resolveHost, ...(hasty ? { now: () => performance.now() * HASTE } : {}) })
  try {
    return await diagnose(complaint, { egress, reach: 'operator', now: Date.now })
  } finally {
    await egress.close()
  }
}

/** The report names this cause as the one to mend, says how, and holds nothing secret. */
export function assertNames(report: Report, cause: string, secrets: readonly string[] = []): void {
  const text = JSON.stringify(report)
  assert.equal(report.verdict, cause, JSON.stringify(report.checks, null, 1))
  const check = report.checks.find((each) => each.cause === cause)
  if (cause !== 'ok') assert.ok(check?.fix !== null && (check?.fix.length ?? 0) > 20)
  for (const each of report.checks) assert.equal(each.ok, each.cause === null)
  for (const { cause: code, fix } of report.checks) if (code !== null) assert.equal(fix, CAUSES[code].fix)
  for (const secret of secrets) assert.ok(!text.includes(secret), `a secret is in ${text}`)
}

/** What of a token nobody may see: itself and its signature. */
export function secretsOf(token: string): readonly string[] {
  const bare = token.replace(/^(?:authorization:)?\s*(?:bearer|token)*\s*/i, '').replace(/["\s]/g, '')
  const signature = bare.split('.').at(-1) ?? ''
  return [bare, signature].filter((secret) => secret.length > 15)
}
