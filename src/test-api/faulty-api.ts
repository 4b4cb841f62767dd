import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { close, listen, originOf, readJson, refusal, sendReply, splitTarget, textField } from './wire.ts'

const SEEN_MAX = 1000
const LOGIN_BYTES_MAX = 10_000

/** A request as the faulty API got it, credentials included: this is for tests only. */
export interface FaultySeen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** How it ended: with a whole answer, or cut off by either side. */
  readonly ended: Promise<'answered' | 'cut'>
}

/** A running faulty API. */
export interface FaultyApi extends AsyncDisposable {
  /** The base URL: the origin, without a slash at the end. */
  readonly url: string
  readonly origin: string
  readonly port: number
  /** The last 1,000 requests, oldest first. */
  readonly seen: readonly FaultySeen[]
  /** The first request of this path: one already seen, or the next to come. */
  arrival(path: string): Promise<FaultySeen>
  /** Answers every request that waits at `/slow` or `/login/slow` now; later ones wait again. */
  releaseSlow(): void
  stop(): Promise<void>
}

/** Starts a server whose paths misbehave, each in its own way; the operations of `/openapi.json` name the ways. */
export async function startFaultyApi({
  host = '127.0.0.1',
  redirectTo = 'https://elsewhere.example',
}: {
  readonly host?: string
  /** The origin that `/redirect` and `/login/redirect` send to. */
  readonly redirectTo?: string
} = {}): Promise<FaultyApi> {
  const seen: FaultySeen[] = []
  const waiting = new Set<() => void>()
  const arrivals = new Map<string, PromiseWithResolvers<FaultySeen>>()
  const site = { origin: '', redirectTo, waiting }

  const server = createServer((request, response) => {
    const { path } = splitTarget(request.url ?? '')
    const ended = Promise.withResolvers<'answered' | 'cut'>()
    response.once('close', () => ended.resolve(response.writableFinished ? 'answered' : 'cut'))
    const entry = { method: request.method ?? '', path, headers: request.headers, ended: ended.promise }
    seen.push(entry)
    if (seen.length > SEEN_MAX) seen.shift()
    const fault = Object.hasOwn(faults, path) ? faults[path] : undefined
    if (fault) fault(request, response, site)
    else sendReply(response, refusal(404, 'NOT_FOUND', 'There is nothing at this path.'))
    arrivals.get(path)?.resolve(entry)
  })
  const port = await listen(server, { host, port: 0 })
  site.origin = originOf(host, port)
  const stop = () => close(server)
  return {
    ...{ url: site.origin, origin: site.origin, port, seen, stop, [Symbol.asyncDispose]: stop },
    releaseSlow: () => {
      for (const answer of waiting) answer()
    },
    arrival: (path) => {
      const earlier = seen.find((request) => request.path === path)
      if (earlier) return Promise.resolve(earlier)
      const awaited = arrivals.get(path) ?? Promise.withResolvers<FaultySeen>()
      arrivals.set(path, awaited)
      return awaited.promise
    },
  }
}

interface Site {
  origin: string
  readonly redirectTo: string
  /** The slow answers that are held back. */
  readonly waiting: Set<() => void>
}

type Fault = (request: IncomingMessage, response: ServerResponse, site: Site) => void

const tokens = { accessToken: 'faulty-access', refreshToken: 'faulty-refresh', expiresIn: 900 } as const

const faults: Readonly<Record<string, Fault>> = {
  '/slow': (_, response, { waiting }) => hold(response, waiting, { late: true }),
  '/huge': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    // The end of this pipeline is always the reader's going away, so there is no failure to report.
    pipeline(Readable.from(endlessJson()), response, () => {})
  },
  '/drop': (request) => {
    request.socket.destroy()
  },
  '/half': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
    response.write('{"half":', () => response.destroy())
  },
  '/empty': (_, response) => sendReply(response, { status: 204 }),
  '/limited': (_, response) =>
    sendReply(response, refusal(429, 'TOO_MANY_REQUESTS', 'Try again in 7 seconds.', { 'retry-after': '7' })),
  '/broken': (_, response) => sendReply(response, refusal(500, 'BROKEN', 'This never works.')),
  '/html': (_, response) => sendHtml(response),
  '/redirect': (_, response, { redirectTo }) => sendRedirect(response, `${redirectTo}/redirected`),
  '/not-json': (_, response) => sendText(response, 'application/json', '{"items": [1, 2'),
  '/image': (_, response) => {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': onePixel.length }).end(onePixel)
  },
  '/login/html': (_, response) => sendHtml(response),
  '/login/no-token': (_, response) => sendReply(response, { status: 200, body: { welcome: 'you' } }),
  '/login/wrong': (_, response) => sendReply(response, refusal(401, 'INVALID_CREDENTIALS', 'Wrong password.')),
  '/login/slow': (_, response, { waiting }) => hold(response, waiting, tokens),
  '/login/redirect': (_, response, { redirectTo }) => sendRedirect(response, `${redirectTo}/login`),
  '/login/snake': (_, response) => {
    const { accessToken: access_token, refreshToken: refresh_token, expiresIn: expires_in } = tokens
    sendReply(response, { status: 200, body: { access_token, refresh_token, expires_in, token_type: 'Bearer' } })
  },
  '/login/echo': (request, response) => {
    readJson(request, LOGIN_BYTES_MAX).then(
      (read) => {
        const password = read.ok ? textField(read.value, 'password') : undefined
        sendReply(response, refusal(400, 'BAD_PASSWORD', `The password ${password} is too weak.`))
      },
      () => response.destroy(),
    )
  },
  '/openapi.json': (_, response, { origin }) => sendReply(response, { status: 200, body: faultyDocument(origin) }),
}

function hold(response: ServerResponse, waiting: Set<() => void>, body: unknown): void {
  const answer = () => sendReply(response, { status: 200, body })
  waiting.add(answer)
  response.once('close', () => waiting.delete(answer))
}

function* endlessJson(): Generator<string> {
  yield '{"rows":["'
  const piece = 'x'.repeat(16_384)
  while (true) yield piece
}

function sendText(response: ServerResponse, type: string, content: string): void {
  sendReply(response, { status: 200, text: { content, type } })
}

function sendHtml(response: ServerResponse): void {
  sendText(response, 'text/html; charset=utf-8', '<!doctype html><title>Sign in</title><p>Please sign in.')
}

function sendRedirect(response: ServerResponse, location: string): void {
  sendReply(response, { status: 302, headers: { location } })
}

const onePixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

const operations = {
  getSlow: '/slow',
  getHuge: '/huge',
  getDrop: '/drop',
  getHalf: '/half',
  getEmpty: '/empty',
  getLimited: '/limited',
  getBroken: '/broken',
  getHtml: '/html',
  getRedirect: '/redirect',
  getNotJson: '/not-json',
  getImage: '/image',
} as const

function faultyDocument(origin: string) {
  const paths = Object.entries(operations).map(([operationId, path]) => {
    const summary = `Misbehaves as ${path.slice(1)}`
    return [path, { get: { operationId, summary, responses: { default: { description: 'Not what was hoped for.' } } } }]
  })
  return {
    openapi: '3.1.0',
    info: { title: 'Faulty API', version: '1.0.0' },
    servers: [{ url: origin }],
    paths: Object.fromEntries(paths),
  }
}
