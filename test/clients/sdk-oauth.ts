import * as v2 from '@modelcontextprotocol/client'
import { UnauthorizedError as V1UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as V1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

/** Metadata of a client (RFC 7591 §2), as far as the tests say something about it. */
export interface ClientMetadata {
  readonly client_name?: string
  readonly redirect_uris: string[]
  readonly scope?: string
  readonly token_endpoint_auth_method?: string
}

export interface MemoryOptions {
  readonly metadata?: ClientMetadata
  /** The client is the document at this address, where the server takes that. */
  readonly clientMetadataUrl?: string
  /** A client that the server has known before. */
  readonly client?: StoredClient
  /** False: it forgets refresh tokens, as programs do that keep nothing for long. */
  readonly keepsRefreshTokens?: boolean
}

interface StoredClient {
  readonly client_id: string
  readonly client_secret?: string
  readonly issuer?: string
}

interface StoredTokens {
  readonly access_token: string
  readonly token_type: string
  readonly refresh_token?: string
  readonly scope?: string
  readonly issuer?: string
}

/** What a program with an official client remembers of its sign-in. Both versions of the SDK take it as their provider. */
export class Memory {
  readonly clientMetadata: ClientMetadata
  readonly redirectUrl: string
  readonly clientMetadataUrl?: string
  /** Where the person was sent last. */
  sentTo: URL | undefined
  client: StoredClient | undefined
  kept: StoredTokens | undefined
  /** How often tokens were saved. */
  saved = 0
  /** What the SDK told it to forget. */
  readonly forgotten: string[] = []
  readonly #keepsRefreshTokens: boolean
  #verifier = ''

  constructor({ metadata, clientMetadataUrl, client, keepsRefreshTokens = true }: MemoryOptions = {}) {
    this.clientMetadata = metadata ?? { client_name: 'SDK', redirect_uris: ['http://localhost:7777/callback'] }
    this.redirectUrl = this.clientMetadata.redirect_uris[0] ?? ''
    if (clientMetadataUrl !== undefined) this.clientMetadataUrl = clientMetadataUrl
    this.client = client
    this.#keepsRefreshTokens = keepsRefreshTokens
  }

  /** Another process of the same program: it knows what this one knows now. */
  twin(): Memory {
    const twin = new Memory({ metadata: this.clientMetadata })
    twin.client = this.client
    twin.kept = this.kept
    return twin
  }

  clientInformation() {
    return this.client
  }
  saveClientInformation(client: StoredClient) {
    this.client = client
  }
  tokens() {
    return this.kept
  }
  saveTokens(tokens: StoredTokens) {
    const { refresh_token: refreshToken, ...others } = tokens
    const isKept = this.#keepsRefreshTokens && refreshToken !== undefined
    this.kept = isKept ? { ...others, refresh_token: refreshToken } : others
    this.saved += 1
  }
  redirectToAuthorization(url: URL) {
    this.sentTo = url
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier
  }
  codeVerifier() {
    return this.#verifier
  }
  invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery') {
    this.forgotten.push(scope)
    if (scope === 'all' || scope === 'client') this.client = undefined
    if (scope === 'all' || scope === 'tokens') this.kept = undefined
  }
}

/** One connection of an official client. */
export interface SdkClient extends AsyncDisposable {
  connect(): Promise<void>
  /** Redeems the answer that the browser brought. */
  finish(back: URL): Promise<void>
  list(): Promise<readonly string[]>
  /** The text that a tool gave; rejects when it failed. */
  call(name: string): Promise<string>
}

export interface SdkVersion {
  readonly name: string
  /** At a step-up it asks for what it has as well (SEP-2350). Otherwise it loses that, and asks again when it needs it. */
  readonly unitesScopes: boolean
  client(endpoint: string, memory: Memory): SdkClient
  isUnauthorized(error: unknown): boolean
}

export const SDKS: readonly SdkVersion[] = [
  {
    name: 'SDK 1.32',
    unitesScopes: false,
    client: v1Client,
    isUnauthorized: (error) => error instanceof V1UnauthorizedError,
  },
  {
    name: 'SDK 2.4',
    unitesScopes: true,
    client: v2Client,
    isUnauthorized: (error) => error instanceof v2.UnauthorizedError,
  },
]

function v1Client(endpoint: string, memory: Memory): SdkClient {
  const client = new V1Client({ name: 'v1', version: '1' })
  const newTransport = () => new V1Transport(new URL(endpoint), { authProvider: memory, fetch: withoutStream })
  let transport = newTransport()
  return {
    async connect() {
      transport = newTransport()
      await client.connect(transport)
    },
    finish: (back) => transport.finishAuth(back.searchParams.get('code') ?? ''),
    list: async () => (await client.listTools()).tools.map(({ name }) => name).sort(),
    call: async (name) => textOf(await client.callTool({ name })),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

/**
 * The stream on which 1.32 waits for news refreshes tokens as well, whenever it wants. When a test sets the clock on two hours
 * just then, its refresh token is one of two hours ago, which the server has to take for a stolen one.
 */
async function withoutStream(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const isStream = init.method === 'GET' && new Headers(init.headers).get('accept') === 'text/event-stream'
  return isStream ? new Response(null, { status: 405 }) : fetch(url, init)
}

function v2Client(endpoint: string, memory: Memory): SdkClient {
  const client = new v2.Client({ name: 'v2', version: '1' }, { versionNegotiation: { mode: 'auto' } })
  const newTransport = () => new v2.StreamableHTTPClientTransport(new URL(endpoint), { authProvider: memory })
  let transport = newTransport()
  return {
    async connect() {
      transport = newTransport()
      await client.connect(transport)
    },
    finish: (back) => transport.finishAuth(back.searchParams),
    list: async () => (await client.listTools()).tools.map(({ name }) => name).sort(),
    call: async (name) => textOf(await client.callTool({ name, arguments: {} })),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

function textOf(result: unknown): string {
  const text = JSON.stringify(Object(result).content)
  if (Object(result).isError === true) throw new Error(text)
  return text
}
