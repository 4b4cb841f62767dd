import { GatewayError } from '../errors.ts'
import type { OutgoingRequest } from './egress.ts'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const GOOD_NAME_LENGTH_MAX = 100
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const PATH = /^\/[\x21\x22\x24-\x7e]*$/

// The connection and the framing of the message are ours: any of these could split the request or turn it to another host.
const RESERVED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Refuses a request whose method, path or headers could split it in two or change its framing (RFC 9110 §5.5, RFC 9112 §3.2).
 *
 * @throws GatewayError `unsafe_value`; the message names the header, never a value.
 */
export function checkRequest(request: Pick<OutgoingRequest, 'method' | 'path' | 'headers'>): void {
  if (!TOKEN.test(request.method)) throw unsafe('The HTTP method has characters that may not be sent.')
  if (!PATH.test(request.path)) throw unsafe('The path has characters that may not be sent. Encode them as %XX.')
  for (const name in request.headers) {
    if (!goodNames.has(name)) checkName(name)
    if (!FIELD_VALUE.test(request.headers[name] ?? '')) {
      throw unsafe(`The value of the header ${name} has characters that may not be sent, such as a line break.`)
    }
  }
}

const GOOD_NAMES_MAX = 1000
/** Names repeat from call to call, and judging one takes longer than finding it here. */
const goodNames = new Set<string>()

function checkName(name: string): void {
  if (!TOKEN.test(name)) throw unsafe('The name of a header has characters that may not be sent.')
  if (RESERVED.has(name.toLowerCase())) throw unsafe(`The header ${name} is set by Gatehouse and may not be given.`)
  if (goodNames.size >= GOOD_NAMES_MAX) goodNames.clear()
  if (name.length <= GOOD_NAME_LENGTH_MAX) goodNames.add(name)
}

function unsafe(message: string): GatewayError {
  return new GatewayError('unsafe_value', message)
}
