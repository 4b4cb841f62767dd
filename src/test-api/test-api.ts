import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { stringify } from 'yaml'
import { admit, checkPassword, type SampleCredentials, type TestApiMode } from './admission.ts'
import { openapiDocument } from './document.ts'
import { createInventory, type Inventory } from './inventory.ts'
import { findRoute } from './routes.ts'
import { TokenIssuer } from './token-issuer.ts'
import { close, listen, originOf, type Reply, readJson, refusal, sendReply, splitTarget, textField } from './wire.ts'

const BODY_BYTES_MAX = 1_000_000
const SEEN_MAX = 1000

/** How to start the test API. `now` is in milliseconds. */
export interface TestApiOptions {
  readonly mode: TestApiMode
  /** 0 takes a free one. */
  readonly port?: number
  readonly host?: string
  /** Lifetime of an access token. */
  readonly ttlSeconds?: number
  readonly refreshTtlSeconds?: number
  /** Whether a refresh ends the refresh token it was made with and gives another. */
  readonly rotateRefreshTokens?: boolean
  readonly apiKey?: string
  readonly bearerToken?: string
  readonly now?: () => number
  /** Told of each request once its answer is decided. */
  readonly onRequest?: (seen: SeenRequest) => void
}

/** One request that was answered. Holds no header, body or query, so no credential. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Who called, or why the call was refused; empty when there is nothing to say. */
  readonly note: string
}

/** What has happened since the start; the numbers change in place. */
export interface TestApiCounts {
  /** Logins that gave tokens. */
  logins: number
  /** Refreshes that gave tokens. */
  refreshes: number
  /** Calls of `/api` that were let in. */
  calls: number
  /** Answers with 401, to `/api`, to a login or to a refresh. */
  refused: number
}

/** A running test API. */
export interface TestApi extends AsyncDisposable {
  readonly mode: TestApiMode
  /** The API's base URL: its origin, without a slash at the end. */
  readonly url: string
  readonly origin: string
  readonly port: number
  readonly ttlSeconds: number
  readonly refreshTtlSeconds: number
  readonly counts: Readonly<TestApiCounts>
  /** The last 1,000 requests, oldest first. */
  readonly seen: readonly SeenRequest[]
  readonly credentials: SampleCredentials
  /** Refuses every access token issued so far; refresh tokens stay good. */
  revokeTokens(): void
  revokeRefreshTokens(): void
  stop(): Promise<void>
}

/** Starts a small HTTP API that asks for the credential of its mode: `gatehouse test-api`, and the upstream of many tests. */
export async function startTestApi(options: TestApiOptions): Promise<TestApi> {
  const { mode, host = '127.0.0.1', ttlSeconds = 900, refreshTtlSeconds = 7 * 86_400, now = Date.now } = options
  const credentials: SampleCredentials = {
    apiKey: options.apiKey ?? 'sample-key-not-a-secret',
    bearerToken: options.bearerToken ?? 'sample-token-not-a-secret',
    users: [
      { username: 'admin', password: 'password' },
      { username: 'alice', password: 'alice123' },
    ],
  }
  const { rotateRefreshTokens = false } = options
  const issuer = new TokenIssuer({ issuer: 'test-api', ttlSeconds, refreshTtlSeconds, rotateRefreshTokens, now })
  const counts: TestApiCounts = { logins: 0, refreshes: 0, calls: 0, refused: 0 }
  const seen: SeenRequest[] = []
  const shop: Shop = { mode, credentials, issuer, counts, inventory: createInventory(now), origin: '' }

  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request
    const { reply, note = '' } = await answerSafely(shop, request)
    if (reply.status === 401) counts.refused += 1
    const entry: SeenRequest = { method, path: splitTarget(url).path, status: reply.status, at: now(), note }
    seen.push(entry)
    if (seen.length > SEEN_MAX) seen.shift()
    options.onRequest?.(entry)
    send(request, response, reply)
  })
  const port = await listen(server, { host, port: options.port ?? 0 })
  const origin = originOf(host, port)
  shop.origin = origin
  const stop = () => close(server)
  return {
    ...{ mode, url: origin, origin, port, ttlSeconds, refreshTtlSeconds, counts, seen, credentials, stop },
    revokeTokens: () => issuer.revokeAccessTokens(),
    revokeRefreshTokens: () => issuer.revokeRefreshTokens(),
    [Symbol.asyncDispose]: stop,
  }
}

interface Shop {
  readonly mode: TestApiMode
  readonly credentials: SampleCredentials
  readonly issuer: TokenIssuer
  readonly counts: TestApiCounts
  readonly inventory: Inventory
  /** Known once the port is. */
  origin: string
}

interface Answered {
  readonly reply: Reply
  readonly note?: string
}

async function answerSafely(shop: Shop, request: IncomingMessage): Promise<Answered> {
  try {
    return await answer(shop, request)
  } catch {
    // The client went away in the middle of its body, or a bug: neither may end the process, nor tell a stranger more.
    return { reply: refusal(500, 'INTERNAL', 'Something went wrong.'), note: 'failed' }
  }
}

async function answer(shop: Shop, request: IncomingMessage): Promise<Answered> {
  const { path, query } = splitTarget(request.url ?? '')
  if (path === '/api' || path.startsWith('/api/')) return answerApi(shop, request, { path, query })
  const document = { origin: shop.origin, mode: shop.mode }
  switch (`${request.method} ${path}`) {
    case 'GET /health':
      return { reply: { status: 200, body: { status: 'ok' } } }
    case 'GET /openapi.json':
      return { reply: { status: 200, body: openapiDocument(document) } }
    case 'GET /openapi.yaml': {
      const content = stringify(openapiDocument(document), { aliasDuplicateObjects: false })
      return { reply: { status: 200, text: { content, type: 'application/yaml' } } }
    }
    case 'POST /auth/login':
      return shop.mode === 'jwt' ? login(shop, request) : nothingHere()
    case 'POST /auth/refresh':
      return shop.mode === 'jwt' ? refresh(shop, request) : nothingHere()
    case 'GET /test/counts':
      return isLoopback(request) ? { reply: { status: 200, body: shop.counts } } : nothingHere()
    case 'POST /test/revoke':
      return isLoopback(request) ? revoke(shop, request) : nothingHere()
    default:
      return nothingHere()
  }
}

async function answerApi(
  shop: Shop,
  request: IncomingMessage,
  { path, query }: { path: string; query: string },
): Promise<Answered> {
  const admission = await admit(request.headers, shop)
  if (!admission.ok) return { reply: admission.reply, note: admission.reason }
  const { caller } = admission
  shop.counts.calls += 1
  const found = findRoute(request.method ?? '', path)
  if (!found.ok) return { reply: found.reply, note: caller }
  const read = await readJson(request, BODY_BYTES_MAX)
  if (!read.ok) return { reply: read.reply, note: caller }
  const { inventory, counts } = shop
  const call = { inventory, id: found.id, query: new URLSearchParams(query), body: read.value, caller }
  return { reply: found.route.answer({ ...call, calls: counts.calls }), note: caller }
}

async function login(shop: Shop, request: IncomingMessage): Promise<Answered> {
  const read = await readJson(request, BODY_BYTES_MAX)
  if (!read.ok) return { reply: read.reply }
  const username = checkPassword(read.value, shop.credentials)
  if (username === undefined) {
    const reply = refusal(401, 'INVALID_CREDENTIALS', 'The username or the password is wrong.')
    return { reply, note: 'INVALID_CREDENTIALS' }
  }
  const tokens = await shop.issuer.signIn(username)
  shop.counts.logins += 1
  return { reply: withTokens(tokens), note: username }
}

async function refresh(shop: Shop, request: IncomingMessage): Promise<Answered> {
  const read = await readJson(request, BODY_BYTES_MAX)
  if (!read.ok) return { reply: read.reply }
  const tokens = await shop.issuer.refresh(textField(read.value, 'refreshToken') ?? '')
  if (!tokens) {
    const reply = refusal(401, 'INVALID_REFRESH_TOKEN', 'This refresh token is not valid. Sign in again.')
    return { reply, note: 'INVALID_REFRESH_TOKEN' }
  }
  shop.counts.refreshes += 1
  return { reply: withTokens(tokens) }
}

/** Tokens are not for caches (RFC 6749 §5.1). */
function withTokens(tokens: unknown): Reply {
  return { status: 200, body: tokens, headers: { 'cache-control': 'no-store' } }
}

async function revoke(shop: Shop, request: IncomingMessage): Promise<Answered> {
  const read = await readJson(request, BODY_BYTES_MAX)
  if (!read.ok) return { reply: read.reply }
  const tokens = read.value === undefined ? 'access' : textField(read.value, 'tokens')
  switch (tokens) {
    case 'access':
      shop.issuer.revokeAccessTokens()
      break
    case 'refresh':
      shop.issuer.revokeRefreshTokens()
      break
    default:
      return { reply: refusal(400, 'INVALID_CHOICE', 'tokens is "access" or "refresh".') }
  }
  return { reply: { status: 200, body: { revoked: tokens } }, note: tokens }
}

function nothingHere(): Answered {
  return { reply: refusal(404, 'NOT_FOUND', 'There is nothing at this path.') }
}

function isLoopback(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? ''
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  if (response.destroyed) return
  sendReply(response, reply)
  // A body that nobody read would otherwise hold the connection.
  request.resume()
}
