import { GatewayError } from '../errors.ts'
import { isRecord, type RpcParams } from './json-rpc.ts'
import {
  isModernVersion,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  MODERN_VERSIONS,
} from './revisions.ts'

/** What every request of the 2026-07-28 revision says about itself in `params._meta`. */
export interface Envelope {
  readonly protocolVersion: string
  /** `name/version`, undefined when the client does not say. */
  readonly client: string | undefined
}

/** The headers that repeat the body (SEP-2243). On stdio there are none and nothing is compared. */
export interface StandardHeaders {
  readonly protocolVersion: string | undefined
  readonly method: string | undefined
  readonly name: string | undefined
}

const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
])

/** Whether the message claims the modern era: it carries the reserved version key, whatever its value. */
export function claimsEnvelope(params: RpcParams): boolean {
  const meta = params['_meta']
  return isRecord(meta) && META_PROTOCOL_VERSION in meta
}

/** Whether the message carries a version of the modern era, known to us or not. */
export function claimsModernVersion(params: RpcParams): boolean {
  const meta = params['_meta']
  if (!isRecord(meta)) return false
  const version = meta[META_PROTOCOL_VERSION]
  return typeof version === 'string' && isModernVersion(version)
}

/**
 * Reads the envelope of a request that claims the modern era, or whose version header does.
 *
 * @throws GatewayError as `readVersion` does, and `envelope_invalid` for the other keys.
 */
export function readEnvelope(
  params: RpcParams,
  versionHeader: string | undefined,
  rules: { readonly anyRevision: boolean },
): Envelope {
  const meta = metaOf(params)
  // Before anything else that this revision asks for: an unknown revision may have other keys.
  const protocolVersion = readVersion(params, versionHeader, rules)
  const capabilities = meta[META_CLIENT_CAPABILITIES]
  if (capabilities === undefined) throw missing(META_CLIENT_CAPABILITIES)
  if (!isRecord(capabilities)) throw malformed(META_CLIENT_CAPABILITIES, 'an object')
  const info = meta[META_CLIENT_INFO]
  if (info !== undefined && !isRecord(info)) throw malformed(META_CLIENT_INFO, 'an object')
  return { protocolVersion, client: clientName(info) }
}

/**
 * The revision that the envelope names: all that a notification's must have.
 *
 * @throws GatewayError `envelope_invalid` (-32602, HTTP 400) naming the key, `header_mismatch` (-32020) for a version header
 * that says something else, and unless any revision is read `unsupported_version` (-32022) with the versions we speak.
 */
export function readVersion(
  params: RpcParams,
  versionHeader: string | undefined,
  { anyRevision }: { readonly anyRevision: boolean },
): string {
  const version = metaOf(params)[META_PROTOCOL_VERSION]
  if (version === undefined) throw missing(META_PROTOCOL_VERSION)
  if (typeof version !== 'string') throw malformed(META_PROTOCOL_VERSION, 'a string')
  agree('MCP-Protocol-Version', trimmed(versionHeader), version, false)
  if (!anyRevision && !MODERN_VERSIONS.includes(version)) throw unsupported(version)
  return version
}

/**
 * Checks that the headers agree with the body: a proxy may have decided by the headers, we decide by the body.
 *
 * @throws GatewayError `header_mismatch` (-32020). A missing header is a mismatch on a request, and tolerated on a notification.
 */
export function checkStandardHeaders(
  message: { readonly kind: 'request' | 'notification'; readonly method: string; readonly params: RpcParams },
  protocolVersion: string,
  headers: StandardHeaders,
): void {
  const required = message.kind === 'request'
  agree('MCP-Protocol-Version', trimmed(headers.protocolVersion), protocolVersion, required)
  agree('Mcp-Method', trimmed(headers.method), message.method, required)
  const field = NAMED_BY.get(message.method)
  const name = field === undefined ? undefined : message.params[field]
  if (typeof name !== 'string') return
  const sent = trimmed(headers.name)
  agree('Mcp-Name', sent === undefined ? undefined : decodeHeaderValue(sent), name, required)
}

/**
 * Decodes `=?base64?…?=`, which carries what a header cannot (2026-07-28, "Value Encoding").
 *
 * @throws GatewayError `header_mismatch` when the encoding is broken.
 */
export function decodeHeaderValue(value: string): string {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value
  const encoded = value.slice('=?base64?'.length, -'?='.length)
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  if (bytes.toString('base64') === encoded && Buffer.from(text, 'utf8').equals(bytes)) return text
  throw new GatewayError('header_mismatch', 'Header mismatch: a header holds broken Base64.')
}

/** Whether the version header names the modern era. */
export function headerIsModern(header: string | undefined): boolean {
  return header !== undefined && isModernVersion(header.trim())
}

/** `name/version` as a client calls itself, cut to 100 characters without control characters. */
export function clientName(info: unknown): string | undefined {
  if (!isRecord(info) || typeof info['name'] !== 'string') return undefined
  const version = typeof info['version'] === 'string' ? `/${info['version']}` : ''
  const name = `${info['name']}${version}`
  // Nearly every name is plain, and looking for control characters in all of Unicode takes a microsecond.
  return (/^[ -~]*$/.test(name) ? name : name.replace(/\p{C}/gu, '')).slice(0, 100)
}

function metaOf(params: RpcParams): RpcParams {
  const meta = params['_meta']
  if (!isRecord(meta)) throw missing('_meta')
  return meta
}

function agree(header: string, sent: string | undefined, body: string, required: boolean): void {
  if (sent === body || (sent === undefined && !required)) return
  const problem = sent === undefined ? 'is missing' : 'says something else than the body'
  throw new GatewayError('header_mismatch', `Header mismatch: the ${header} header ${problem}.`, {
    data: { header, problem: sent === undefined ? 'missing' : 'mismatch' },
  })
}

function trimmed(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const isBare = value.charCodeAt(0) > 0x20 && value.charCodeAt(value.length - 1) > 0x20
  return isBare ? value : value.replace(/^[ \t]+|[ \t]+$/g, '')
}

function missing(key: string): GatewayError {
  return new GatewayError('envelope_invalid', `Invalid params: ${key} is missing.`, {
    data: { envelope: { missing: [key] } },
  })
}

function malformed(key: string, expected: string): GatewayError {
  return new GatewayError('envelope_invalid', `Invalid params: ${key} must be ${expected}.`, {
    data: { envelope: { key, problem: `must be ${expected}` } },
  })
}

function unsupported(requested: string): GatewayError {
  return new GatewayError('unsupported_version', 'Unsupported protocol version.', {
    data: { supported: MODERN_VERSIONS, requested: requested.slice(0, 40) },
  })
}
