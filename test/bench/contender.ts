/** What every contender is given: the same upstream, and the token that callers send. */
export interface BenchSetup {
  /** `GET <origin>/items/<id>` answers at once with a small JSON. Nothing for the upstream itself. */
  readonly upstreamOrigin: string
  /** ES256, signed by `publicKey`, for `issuer` and `audience`. */
  readonly token: string
  readonly publicKey: PublicKey
  readonly issuer: string
  readonly audience: string
  /** How many tools everybody serves; only the first is called. */
  readonly tools: number
}

/** The JWK of a P-256 key (RFC 7518 §6.2.1). */
export interface PublicKey {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y: string
}

/** A contender that is ready: the POST that calls its tool. */
export interface Offer {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Stands in every answer that counts. */
  readonly expects: string
  /** The process that serves it, when it is not the one that was asked to start it. */
  readonly pid?: number | undefined
}

/** What a contender's module exports as `start`: listens on port 0 of loopback and says how to call it. It stays up until its process is ended. */
export type StartContender = (setup: BenchSetup) => Promise<Offer>

/** In every answer of the upstream, so that a contender cannot be fast by not calling it. */
export const UPSTREAM_MARKER = 'answered-by-the-bench-upstream'

/** The tool that every contender has; it takes `id`, a string. */
export const TOOL_NAME = 'getItem'

/** A `tools/call` of the 2026-07-28 revision with the setup's token. */
export function modernCall(setup: BenchSetup, url: string): Offer {
  const version = '2026-07-28'
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
  }
  const headers = { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': TOOL_NAME }
  return {
    url,
    headers: { ...commonHeaders(setup), ...headers },
    body: callBody({ name: TOOL_NAME, arguments: { id: '42' }, _meta: meta }),
    expects: UPSTREAM_MARKER,
  }
}

/** The same call in the 2025-11-25 revision, without a session. */
export function legacyCall(setup: BenchSetup, url: string): Offer {
  return {
    url,
    headers: { ...commonHeaders(setup), 'mcp-protocol-version': '2025-11-25' },
    body: callBody({ name: TOOL_NAME, arguments: { id: '42' } }),
    expects: UPSTREAM_MARKER,
  }
}

function commonHeaders({ token }: BenchSetup) {
  return {
    authorization: `Bearer ${token}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
}

function callBody(params: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
}
