import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Egress, OutgoingRequest, OutgoingResponse } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import { type InboundAuthSettings, inboundAuthSettings } from '../workspaces/settings.ts'
import { createIdentity, type IdentifyRequest, type Identity } from './identify.ts'
import { KeySets } from './key-sets.ts'
import { ResultCache } from './result-cache.ts'

export const SECRET = 'k7VtS1m0Zq8Jr4Xw2Yp9Lb6Nc3Hd5Gf0'
export const AUDIENCE = 'https://gateway.example/mcp'
export const ISSUER = 'https://issuer.example'
/** Milliseconds: the clock of every test starts here. */
export const NOW = 1_800_000_000_000
export const IN_AN_HOUR = NOW / 1000 + 3600

export const claims: JWTPayload = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', exp: IN_AN_HOUR }

export type SigningKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

/** A key pair whose public half can be exported. */
export function newKeyPair(alg: string) {
  return generateKeyPair(alg, { extractable: true })
}

export function mint(
  payload: JWTPayload,
  header: { alg: string } & Record<string, unknown>,
  key: SigningKey | Uint8Array,
): Promise<string> {
  return new SignJWT(payload).setProtectedHeader(header).sign(key)
}

/** A token of any header, claims and signature, made by hand. */
export function forge(header: unknown, payload: unknown, signature = ''): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return `${encode(header)}.${encode(payload)}.${signature}`
}

export const secretBytes = new TextEncoder().encode(SECRET)

export function mintHs256(payload: JWTPayload = claims): Promise<string> {
  return mint(payload, { alg: 'HS256' }, secretBytes)
}

/** A clock that moves only when told to. */
export class Clock {
  ms = NOW
  readonly now = () => this.ms
}

/** A small real way out, over node:http, that keeps to the contract of `egress.ts`. */
export class TestEgress implements Egress {
  readonly requests: OutgoingRequest[] = []

  send(outgoing: OutgoingRequest): Promise<OutgoingResponse> {
    this.requests.push(outgoing)
    const { method, headers, timeoutMs, responseBytesMax } = outgoing
    const cancelled = new AbortController()
    outgoing.signal?.addEventListener('abort', { handleEvent: () => cancelled.abort() })
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), cancelled.signal])
    return new Promise((resolve, reject) => {
      const fail = (cause: Error) => reject(new GatewayError('upstream_unreachable', 'unreachable', { cause }))
      const sent = request(outgoing.origin + outgoing.path, { method, headers, signal }, async (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          length += chunk.length
          if (length <= responseBytesMax) return
          reject(new GatewayError('upstream_too_large', 'too large'))
          response.destroy()
        })
        response.on('error', fail)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        )
      })
      sent.on('error', fail)
      sent.end()
    })
  }

  async close(): Promise<void> {}
}

export interface TestServer extends AsyncDisposable {
  readonly url: string
  readonly server: Server
}

export async function listen(listener: RequestListener): Promise<TestServer> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    })
  return { url: `http://127.0.0.1:${address.port}`, server, [Symbol.asyncDispose]: close }
}

/** A key set endpoint that counts its GETs and answers what `answer` says at that moment. */
export async function listenKeySet(
  keys: unknown[],
): Promise<TestServer & { gets: number; keys: unknown[]; answer: RequestListener }> {
  const state = {
    gets: 0,
    keys,
    answer(_request: IncomingMessage, response: ServerResponse) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ keys: state.keys }))
    },
  }
  const server = await listen((request, response) => {
    state.gets += 1
    state.answer(request, response)
  })
  return Object.assign(state, server)
}

export interface TestIdentity extends Identity {
  readonly clock: Clock
  readonly egress: TestEgress
  readonly results: ResultCache
  readonly keySets: KeySets
}

type Inbound = Parameters<typeof inboundAuthSettings.parse>[0]

/** An identity as the gateway makes it, with a clock of its own. */
export function identityOf(
  inbound: Inbound,
  shared: { clock?: Clock; results?: ResultCache; isDevelopment?: boolean } = {},
): TestIdentity {
  const { clock = new Clock(), results = new ResultCache(), isDevelopment = false } = shared
  const egress = new TestEgress()
  const keySets = new KeySets({ egress, now: clock.now })
  const settings: InboundAuthSettings = inboundAuthSettings.parse(inbound)
  const identity = createIdentity(settings, { now: clock.now, isDevelopment, reach: 'operator', keySets, results })
  return {
    authorizationServers: (asking) => identity.authorizationServers(asking),
    isOpenToAll: identity.isOpenToAll,
    takesOAuth: identity.takesOAuth,
    start: () => identity.start(),
    identify: (request, workspaceId) => identity.identify(request, workspaceId),
    isGood: (caller, workspaceId) => identity.isGood(caller, workspaceId),
    requiredScopes: (caller) => identity.requiredScopes(caller),
    ...{ clock, egress, results, keySets },
  }
}

export function requestWith(headers: Readonly<Record<string, string>>): IdentifyRequest {
  return { transport: 'http', clientAddress: '127.0.0.1', header: (name) => headers[name] }
}

export function bearer(token: string): IdentifyRequest {
  return requestWith({ authorization: `Bearer ${token}` })
}

/** `ok`, or the text of the refusal, or the error's code when it is not about the token. */
export async function outcome(identity: Identity, token: string, workspaceId = 'a'): Promise<string> {
  try {
    await identity.identify(bearer(token), workspaceId)
    return 'ok'
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return error.code === 'invalid_token' ? error.message : error.code
  }
}

export const refusals = {
  malformed: 'JWT verification failed: malformed token',
  type: 'JWT verification failed: the token type (typ) is not accepted',
  critical: 'JWT verification failed: unknown critical header (crit)',
  algorithm: 'JWT verification failed: the algorithm (alg) is not accepted',
  keyId: 'JWT verification failed: unknown key id (kid)',
  noKeyId: 'JWT verification failed: missing key id (kid)',
  signature: 'JWT verification failed: invalid signature',
  issuer: 'JWT verification failed: the issuer (iss) is not accepted',
  audience: 'JWT verification failed: the audience (aud) is not this server',
  notYetValid: 'JWT verification failed: the token is not valid yet (nbf)',
  expired: 'JWT token has expired',
  noExpiry: 'JWT verification failed: missing required exp claim',
  noUserId: 'JWT missing required userId claim',
} as const
