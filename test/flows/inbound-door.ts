import { createServer, type RequestListener } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { z } from 'zod'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from '../../src/testing/start-gateway.ts'

/** A gateway in front of an API that lets everybody in: what is refused here is refused at the gateway's own door. */
export interface Door extends AsyncDisposable {
  readonly api: TestApi
  readonly gateway: TestGateway
  /** Makes a workspace with this `auth` and gives its endpoint. */
  open(auth: unknown, slug?: string): Promise<string>
  /** The calls that reached the API. */
  calls(): number
}

/** Somebody else's identity provider: a key server that counts, and tokens signed with its keys. */
export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string
  readonly jwksUrl: string
  /** GETs of the key set so far. */
  readonly gets: number
  /** What is published: tests add to it. */
  readonly keys: unknown[]
  /** Signs with a new key from now on, and publishes only that one. */
  rotate(): Promise<void>
  /** Answers like this from now on; undefined: well again. */
  misbehave(answer: RequestListener | undefined): void
  token(claims?: JWTPayload, header?: Readonly<Record<string, unknown>>): Promise<string>
  stop(): Promise<void>
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

export interface Sending {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown
}

export type SigningKey = Parameters<SignJWT['sign']>[0]

export const AUDIENCE = 'https://gateway.example'
export const LIST_TOOLS = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} } as const
export const CALL_LIST_ITEMS = {
  ...{ jsonrpc: '2.0', id: 2, method: 'tools/call' },
  params: { name: 'listItems', arguments: {} },
} as const

/** The body of a 401 or 403. */
export const refusal = z.strictObject({
  error: z.enum(['invalid_token', 'insufficient_scope']),
  error_description: z.string().min(1),
  message: z.string().min(1),
  code: z.enum(['AUTHENTICATION_FAILED', 'INSUFFICIENT_SCOPE']),
  scope: z.string().optional(),
})

export async function startDoor(options: TestGatewayOptions = {}): Promise<Door> {
  await using parts = new AsyncDisposableStack()
  const api = parts.use(await startTestApi({ mode: 'none' }))
  const gateway = parts.use(await startGateway(options))
  const source = { url: `${api.origin}/openapi.json` }
  const started = parts.move()
  return {
    ...{ api, gateway },
    calls: () => api.counts.calls,
    open: async (auth, slug) => {
      const named = slug === undefined ? {} : { slug }
      return (await gateway.makeWorkspace({ name: 'Shop', ...named, source, auth, tools: 'all' })).endpoint
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** Starts an identity provider; `now` is in milliseconds. */
export async function startIdentityProvider(now: () => number = Date.now): Promise<IdentityProvider> {
  const keys: unknown[] = []
  let gets = 0
  let count = 0
  let current = await newKey('key-0')
  keys.push(current.publicJwk)
  let fault: RequestListener | undefined
  const server = createServer((request, response) => {
    gets += 1
    if (fault !== undefined) return void fault(request, response)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }))
  })
  const issuer = await new Promise<string>((resolve, reject) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new Error('no port'))
      else resolve(`http://127.0.0.1:${address.port}`)
    })
  })
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    ...{ issuer, jwksUrl: `${issuer}/jwks`, keys, stop, [Symbol.asyncDispose]: stop },
    get gets() {
      return gets
    },
    async rotate() {
      count += 1
      current = await newKey(`key-${count}`)
      keys.splice(0, keys.length, current.publicJwk)
    },
    misbehave: (answer) => {
      fault = answer
    },
    token: (claims = {}, header = {}) =>
      sign(
        { ...goodClaims(now()), iss: issuer, ...claims },
        { alg: 'ES256', kid: current.kid, ...header },
        current.key,
      ),
  }
}

async function newKey(kid: string): Promise<{ kid: string; key: SigningKey; publicJwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return { kid, key: privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } }
}

/** Claims that every verifier of these tests takes, for an hour from `now`, in milliseconds. */
export function goodClaims(now: number): JWTPayload {
  return { aud: AUDIENCE, sub: 'ada', exp: Math.floor(now / 1000) + 3600 }
}

/** Signs claims; a header member that is undefined is left out. */
export function sign(claims: JWTPayload, header: { alg: string } & Record<string, unknown>, key: SigningKey) {
  return new SignJWT(claims).setProtectedHeader(header).sign(key)
}

/** A token made by hand, whatever it says. */
export function forge(header: unknown, claims: unknown, signature = ''): string {
  const encoded = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return `${encoded(header)}.${encoded(claims)}.${signature}`
}

export function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` }
}

/** One HTTP request, as a client of an MCP endpoint sends it. */
export async function send(url: string, { method = 'POST', headers = {}, body }: Sending = {}): Promise<Reply> {
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url, {
    method,
    headers: {
      Accept: 'application/json, text/event-stream',
      ...(content === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(content === undefined ? {} : { body: content }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: jsonOf(text) }
}

/** `tools/list` with this token. */
export function list(endpoint: string, token: string): Promise<Reply> {
  return send(endpoint, { headers: bearer(token), body: LIST_TOOLS })
}

/** `tools/call` of `listItems` with this token. */
export function call(endpoint: string, token: string): Promise<Reply> {
  return send(endpoint, { headers: bearer(token), body: CALL_LIST_ITEMS })
}

/** Why a request was refused: the status and the text that a client is told. */
export function reasonOf({ status, json }: Reply): string {
  return `${status} ${refusal.parse(json).error_description}`
}

/** The parameters of a `WWW-Authenticate: Bearer` header, undefined when there is none. */
export function challengeOf({ headers }: Reply): Readonly<Record<string, string>> | undefined {
  const value = headers.get('www-authenticate')
  if (value === null || !value.startsWith('Bearer')) return undefined
  return Object.fromEntries(
    [...value.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, text]) => [name ?? '', text ?? '']),
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // An empty answer, or an event stream: the test looks at the text.
    return undefined
  }
}
