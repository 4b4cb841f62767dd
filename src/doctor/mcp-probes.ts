import * as z from 'zod'
import {
  LEGACY_VERSIONS,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  MODERN_VERSIONS,
} from '../mcp/revisions.ts'
import { type Answer, ask, type World } from './probe.ts'

const CLIENT = { name: 'gatehouse-doctor', version: '1' } as const
const ACCEPT = { accept: 'application/json, text/event-stream' } as const
const [LEGACY_VERSION = ''] = LEGACY_VERSIONS
const [MODERN_VERSION = ''] = MODERN_VERSIONS

/** The first message of the revisions up to 2025-11-25. */
export function askInitialize(world: World, url: URL, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const params = { protocolVersion: LEGACY_VERSION, capabilities: {}, clientInfo: CLIENT }
  return ask(world, url, {
    method: 'POST',
    headers: { ...ACCEPT, ...headers },
    body: { jsonrpc: '2.0', id: 1, method: 'initialize', params },
  })
}

/** The first message of the stateless revision. */
export function askDiscover(world: World, url: URL, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const _meta = {
    [META_PROTOCOL_VERSION]: MODERN_VERSION,
    [META_CLIENT_INFO]: CLIENT,
    [META_CLIENT_CAPABILITIES]: {},
  }
  return ask(world, url, {
    method: 'POST',
    headers: {
      ...ACCEPT,
      'mcp-protocol-version': MODERN_VERSION,
      'mcp-method': 'server/discover',
      ...headers,
    },
    body: { jsonrpc: '2.0', id: 2, method: 'server/discover', params: { _meta } },
  })
}

const rpc = z.looseObject({
  jsonrpc: z.literal('2.0'),
  result: z.looseObject({}).optional(),
  error: z.looseObject({ code: z.number(), message: z.string() }).optional(),
})

export type RpcAnswer = z.output<typeof rpc>

/** The answer as JSON-RPC; undefined when it is none. */
export function rpcOf(answer: Answer): RpcAnswer | undefined {
  if (!answer.ok) return undefined
  const parsed = rpc.safeParse(answer.json)
  return parsed.success ? parsed.data : undefined
}

/** Whether what answered is an MCP endpoint: JSON-RPC that is not about a path that is not there, or a Bearer challenge. */
export function isMcpAnswer(answer: Answer): boolean {
  if (!answer.ok) return false
  if (answer.status === 401) return /^bearer\b/i.test(answer.header('www-authenticate') ?? '')
  return rpcOf(answer) !== undefined && answer.status !== 404 && answer.status < 500
}
