import { GatewayError } from '../errors.ts'
import { parseExactly } from './exact-numbers.ts'

/** A JSON-RPC request id as MCP allows it: never null. */
export type RpcId = string | number

/** One parsed JSON-RPC 2.0 message; whole numbers that JavaScript would round are `bigint`. A `response` answers a request that we never sent; it is accepted and dropped. */
export type RpcMessage =
  | { readonly kind: 'request'; readonly id: RpcId; readonly method: string; readonly params: RpcParams }
  | { readonly kind: 'notification'; readonly method: string; readonly params: RpcParams }
  | { readonly kind: 'response' }

export type RpcParams = Readonly<Record<string, unknown>>

const NO_PARAMS: RpcParams = {}

/**
 * Parses one JSON-RPC 2.0 message.
 *
 * @throws GatewayError `parse_error`, or `invalid_message` (a batch, a wrong member). The error does not know the id.
 */
export function parseRpcMessage(text: string): RpcMessage {
  const value = parseJson(text)
  // Batches were in revision 2025-03-26 only. Each message is authorized and recorded by itself, so they are refused in words.
  if (Array.isArray(value)) {
    throw new GatewayError(
      'invalid_message',
      'Invalid Request: JSON-RPC batches are not supported, send one message a POST.',
    )
  }
  if (!isRecord(value) || value['jsonrpc'] !== '2.0') throw invalid('not a JSON-RPC 2.0 message')
  const { id, method, params } = value
  if (method === undefined) {
    if ('result' in value || 'error' in value) return { kind: 'response' }
    throw invalid('neither a method nor a result')
  }
  if (typeof method !== 'string') throw invalid('the method must be a string')
  if (params !== undefined && !isRecord(params)) throw invalid('the params must be an object')
  const given = params === undefined ? NO_PARAMS : params
  if (id === undefined) return { kind: 'notification', method, params: given }
  // A larger number is rounded when it is read: the answer would carry another id.
  if (typeof id !== 'string' && !(typeof id === 'number' && Number.isSafeInteger(id))) {
    throw invalid('the id must be a string or an integer')
  }
  return { kind: 'request', id, method, params: given }
}

/** The JSON text of a successful response. `resultJson` is JSON text already. */
export function rpcResult(id: RpcId, resultJson: string): string {
  const idJson = typeof id === 'number' ? String(id) : JSON.stringify(id)
  return `{"jsonrpc":"2.0","id":${idJson},"result":${resultJson}}`
}

/** Whether the value is an object that is no array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(text: string): unknown {
  try {
    return parseExactly(text)
  } catch {
    // The parser's own message quotes the body; it is not repeated.
    throw new GatewayError('parse_error', 'Parse error: the body is not JSON.')
  }
}

function invalid(what: string): GatewayError {
  return new GatewayError('invalid_message', `Invalid Request: ${what}.`)
}
