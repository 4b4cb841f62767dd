import { STATUS_CODES } from 'node:http'
import { type Credential, NO_CREDENTIAL } from '../credentials/credential.ts'
import type { OutgoingResponse } from '../egress/egress.ts'
import type { GatewayError } from '../errors.ts'
import type { UpstreamRequest } from './http-api.ts'

/** One piece of a tool's result (MCP 2025-06-18, server/tools). */
export type ToolContent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image' | 'audio'; readonly data: string; readonly mimeType: string }
  | {
      readonly type: 'resource'
      readonly resource: { readonly uri: string; readonly mimeType: string; readonly blob: string }
    }

/** The result of `tools/call`; `isError` tells the model that the call failed. */
export interface ToolResult {
  readonly content: readonly ToolContent[]
  readonly isError?: true
}

/** Shorter ones are found in innocent texts too. */
const SECRET_LENGTH_MIN = 8
const ERROR_TEXT_MAX = 2000
const BINARY = 'application/octet-stream'
const TEXT_TYPE =
  /^(?:text\/|application\/(?:json|xml|yaml|x-yaml|x-ndjson|jsonl|javascript|graphql|x-www-form-urlencoded|sql|toml)$)|\+(?:json|xml|yaml)$/

/**
 * The API's answer as a tool's result. Pure; the body's text is not changed, only cut in errors.
 *
 * An API that repeats what it was sent would show its credential to the caller: the values of `credential` are taken
 * out of texts (FEATURES D10). Not out of images, sounds and other bytes.
 */
export function toToolResult(
  request: Pick<UpstreamRequest, 'method' | 'path'>,
  given: OutgoingResponse,
  credential: Credential = NO_CREDENTIAL,
): ToolResult {
  const answer = withoutCredential(given, credential)
  const { status } = answer
  if (status >= 300 && status <= 399) return failure(`${answered(request, answer)}: ${explainRedirect(answer)}`)
  if (status < 200 || status > 299) return failure(explainError(request, answer))
  if (answer.body.length === 0) return { content: [{ type: 'text', text: statusLine(status) }] }
  return { content: [toContent(answer)] }
}

/**
 * A failure on the way to the API as a tool's result, with its message.
 *
 * @throws the error itself when it is none of the tool's: `cancelled`, `internal` and what concerns the caller, not the API.
 */
export function toolErrorFrom(error: GatewayError): ToolResult {
  switch (error.code) {
    case 'invalid_arguments':
    case 'document_invalid':
    case 'config_invalid':
    case 'login_failed':
    case 'credential_missing':
    case 'unsafe_value':
    case 'egress_refused':
    case 'upstream_unreachable':
    case 'upstream_timeout':
    case 'upstream_too_large':
      return failure(error.message)
    default:
      throw error
  }
}

function failure(text: string): ToolResult {
  return { content: [{ type: 'text', text }], isError: true }
}

function withoutCredential(answer: OutgoingResponse, credential: Credential): OutgoingResponse {
  let { body } = answer
  for (const secret of secretsOf(credential)) {
    if (!body.includes(secret)) continue
    body = Buffer.from(body.toString('latin1').replaceAll(secret.toString('latin1'), '[redacted]'), 'latin1')
  }
  return body === answer.body ? answer : { ...answer, body }
}

/** A credential serves many calls, and its spellings cost more than looking for them. */
const knownSecrets = new WeakMap<Credential, readonly Buffer[]>()

function secretsOf(credential: Credential): readonly Buffer[] {
  const known = knownSecrets.get(credential)
  if (known !== undefined) return known
  const { headers, query, cookies } = credential
  const spellings = [
    ...Object.entries(headers).flatMap(([name, value]) => headerSpellings(name, value)),
    ...query.flatMap(({ value, pair }) => querySpellings(value, pair)),
    ...cookies.flatMap(({ value }) => inJsonToo([value])),
  ]
  const secrets = spellings.filter(({ length }) => length >= SECRET_LENGTH_MIN).map((secret) => Buffer.from(secret))
  knownSecrets.set(credential, secrets)
  return secrets
}

/** What an answer may repeat of a header's value: the credential in it, the password inside Basic, each cookie. */
function headerSpellings(name: string, value: string): readonly string[] {
  const secrets = [value.replace(/^(?:Bearer|Basic) /, '')]
  if (value.startsWith('Basic ')) {
    const decoded = Buffer.from(secrets.join(), 'base64').toString('utf8')
    // The user has no colon (RFC 7617 §2), so the rest is the password.
    secrets.push(decoded, decoded.slice(decoded.indexOf(':') + 1))
  } else if (!value.startsWith('Bearer ') && /^authorization$/i.test(name)) {
    // Of another scheme: `Token abc`.
    secrets.push(value.replace(/^[\w-]+ +/, ''))
  } else if (name.length === 6 && name.toLowerCase() === 'cookie') {
    secrets.push(...value.split(';').map((pair) => pair.slice(pair.indexOf('=') + 1).trim()))
  }
  return inJsonToo(secrets)
}

/** The key, and as it stands in an address that an answer repeats: encoded by us, by others, or as a form. */
function querySpellings(value: string, pair: string): readonly string[] {
  const encoded = pair.slice(pair.indexOf('=') + 1)
  const others = [
    encoded.replace(/%../g, (code) => code.toLowerCase()),
    new URLSearchParams({ '': value }).toString().slice(1),
  ]
  return inJsonToo([...new Set([value, encoded, ...others])])
}

/** Each as JSON writes it, too. */
function inJsonToo(secrets: readonly string[]): readonly string[] {
  return [...new Set(secrets.flatMap((secret) => [secret, ...JSON_WRITERS.map((write) => write(quoted(secret)))]))]
}

/** What writers of JSON escape although none has to: keys in Base64 have `+`, `/` and `=`, passwords all of them. */
const JSON_WRITERS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replaceAll('/', '\\/'), // PHP
  (text) => text.replace(/[<>&]/g, inUnicode), // Go, Rails
  (text) => text.replace(/[<>&=']/g, inUnicode), // Gson
  (text) => text.replace(/\\"|[<>&+'`]/g, (found) => inUnicode(found.slice(-1)).toUpperCase().replace('U', 'u')), // .NET
]

function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function inUnicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function toContent(answer: OutgoingResponse): ToolContent {
  const text = textOf(answer)
  if (text !== undefined) return { type: 'text', text }
  const mimeType = typeOf(answer).name || BINARY
  const base64 = answer.body.toString('base64')
  if (mimeType.startsWith('image/')) return { type: 'image', data: base64, mimeType }
  if (mimeType.startsWith('audio/')) return { type: 'audio', data: base64, mimeType }
  // The URI only has to be one: nothing can be read there.
  return { type: 'resource', resource: { uri: 'urn:gatehouse:answer', mimeType, blob: base64 } }
}

/** The body as text, or undefined when it is none. Without a type it is text when it is UTF-8 without a NUL. */
function textOf(answer: OutgoingResponse): string | undefined {
  const type = typeOf(answer)
  if (type.isText) return decode(answer.body, type.charset)
  if (type.name !== '' || answer.body.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(answer.body)
  } catch {
    // Not UTF-8: that was the question.
    return undefined
  }
}

function decode(body: Buffer, charset: string): string {
  if (charset === 'utf-8' || charset === 'utf8') return body.toString('utf8')
  try {
    return new TextDecoder(charset).decode(body)
  } catch {
    // A charset that nobody knows: most such answers are UTF-8 all the same.
    return body.toString('utf8')
  }
}

/** What a `Content-Type` says; `name` is empty where there is none. */
interface MediaType {
  readonly name: string
  readonly isText: boolean
  readonly charset: string
}

const KNOWN_TYPES_MAX = 200
/** An API has a handful of types, and reading one takes longer than finding it here. */
const knownTypes = new Map<string, MediaType>()

function typeOf({ headers }: OutgoingResponse): MediaType {
  const given = headers['content-type'] ?? ''
  const contentType = typeof given === 'string' ? given : (given[0] ?? '')
  const known = knownTypes.get(contentType)
  if (known !== undefined) return known
  const name = contentType.split(';', 1).join('').trim().toLowerCase()
  const charset = /;\s*charset="?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8'
  const type = { name, isText: TEXT_TYPE.test(name), charset }
  if (knownTypes.size >= KNOWN_TYPES_MAX) knownTypes.clear()
  knownTypes.set(contentType, type)
  return type
}

function explainError(request: Pick<UpstreamRequest, 'method' | 'path'>, answer: OutgoingResponse): string {
  const retryAfter = answer.status === 429 ? answer.headers['retry-after'] : undefined
  const hint = typeof retryAfter === 'string' ? ` (Retry-After: ${retryAfter.slice(0, 40)})` : ''
  const start = `${answered(request, answer)}${hint}`
  return answer.body.length === 0 ? start : `${start}: ${describeBody(answer)}`
}

function describeBody(answer: OutgoingResponse): string {
  const text = textOf(answer)
  if (text === undefined) return `${answer.body.length} bytes of ${typeOf(answer).name || BINARY}`
  // By whole characters: half of a surrogate pair would not be valid JSON text.
  return text.length <= ERROR_TEXT_MAX ? text : `${text.slice(0, ERROR_TEXT_MAX).toWellFormed()}…`
}

function explainRedirect(answer: OutgoingResponse): string {
  const { location } = answer.headers
  // The host only: the rest can hold a token of a sign-in.
  const host = typeof location === 'string' ? (URL.parse(location)?.host ?? '') : ''
  return host === '' ? 'redirects are not followed.' : `redirects are not followed (to ${host}).`
}

function answered({ method, path }: Pick<UpstreamRequest, 'method' | 'path'>, { status }: OutgoingResponse): string {
  return `${method} ${path.split('?', 1).join('')} answered ${statusLine(status)}`
}

function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()
}
