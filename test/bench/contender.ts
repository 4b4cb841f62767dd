/** What every contender is given: the same upstream, and the token that callers send. */
export interface BenchSetup {
  /** `GET <origin>/items/<id>` answers at once with a small JSON. Nothing for the upstream itself. */
  readonly upstreamOrigin: string
  /** ES256, signed by `publicKey`, for `issuer` and `audience`. */
  readonly token: string
  readonly publicKey: PublicKey
  readonly issuer: string
  readonly audience: string
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
}

/** What a contender's module exports as `start`: listens on port 0 of loopback and says how to call it. It stays up until its process is ended. */
export type StartContender = (setup: BenchSetup) => Promise<Offer>

/** One competitor. `key` is what `--only` and the table call it; ratios are to the one called `a`. */
export interface Contender {
  readonly key: string
  readonly name: string
  /** Beside this file. */
  readonly module: string
  /** Whether it must refuse a forged token before it is measured. */
  readonly checksToken: boolean
}

/** Everybody who takes part, in the order of the table. */
export const contenders: readonly Contender[] = [
  { key: 'a', name: 'bare Node hop, no token check', module: 'contenders/bare-hop.ts', checksToken: false },
  { key: 'c', name: 'Gatehouse, everything on', module: 'contenders/gatehouse.ts', checksToken: true },
  { key: 'd1', name: 'MCP SDK v2 handler + jose', module: 'contenders/sdk-v2.ts', checksToken: true },
  { key: 'd2', name: 'MCP SDK v1 stateless + jose', module: 'contenders/sdk-v1.ts', checksToken: true },
  { key: 'e', name: 'Gatehouse, pass-through', module: 'contenders/pass-through.ts', checksToken: true },
]

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
  }
}

/** The same call in the 2025-11-25 revision, without a session. */
export function legacyCall(setup: BenchSetup, url: string): Offer {
  return {
    url,
    headers: { ...commonHeaders(setup), 'mcp-protocol-version': '2025-11-25' },
    body: callBody({ name: TOOL_NAME, arguments: { id: '42' } }),
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
