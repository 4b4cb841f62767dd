import { type HeaderSet, mergeHeaders } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'
import { bareName } from '../tools/names.ts'
import type { KeyPlace } from '../tools/tool.ts'

/** What a call is sent with. It wins over anything that comes from a tool's arguments (FEATURES D17). */
export interface Credential {
  readonly headers: HeaderSet
  readonly query: readonly SentKey[]
  readonly cookies: readonly SentKey[]
  /** The token of a login that is in it: what is renewed after a 401. */
  readonly token: string | undefined
}

/** A key outside the headers. */
export interface SentKey {
  readonly name: string
  /** As it was set. */
  readonly value: string
  /** `name=value` as it stands on the wire. */
  readonly pair: string
}

/** No credential. */
export const NO_CREDENTIAL: Credential = { headers: {}, query: [], cookies: [], token: undefined }

// RFC 6265 §4.1.1: anything else would end the value, or begin a cookie of its own.
const COOKIE_VALUE = /^(?:[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*|"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")$/

/**
 * The key at its place. Headers are checked where they are sent, names of cookies where they are read.
 *
 * @throws GatewayError `unsafe_value` for a value that cannot stand there; the message names the place, never the value.
 */
export function keyAt({ in: place, name }: KeyPlace, value: string): Credential {
  if (place === 'header') return { ...NO_CREDENTIAL, headers: { [name]: value } }
  if (place === 'query') {
    if (!value.isWellFormed()) throw unsafe(`The key for the query parameter ${name} has a broken character in it.`)
    const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
    return { ...NO_CREDENTIAL, query: [{ name, value, pair }] }
  }
  if (!COOKIE_VALUE.test(value)) {
    throw unsafe(`The value of the cookie ${name} has characters that a cookie may not have, such as a semicolon.`)
  }
  return { ...NO_CREDENTIAL, cookies: [{ name, value, pair: `${name}=${value}` }] }
}

/** All of them together; where several set the same, the last one counts. */
export function combine(...credentials: readonly Credential[]): Credential {
  return {
    headers: mergeHeaders(...credentials.map(({ headers }) => headers)),
    query: lastOfEach(credentials.flatMap(({ query }) => query)),
    cookies: lastOfEach(credentials.flatMap(({ cookies }) => cookies)),
    token: credentials.findLast(({ token }) => token !== undefined)?.token,
  }
}

/**
 * The path and query with the keys at its end, and without any other parameter that a server could take for one of them:
 * another case, `%61pi_key`, `api_key[]`. The free members of an object argument can have any name.
 */
export function withQueryKeys(path: string, keys: readonly SentKey[]): string {
  if (keys.length === 0) return path
  const names = new Set(keys.map(({ name }) => bareName(name)))
  const question = path.indexOf('?')
  const pathname = question === -1 ? path : path.slice(0, question)
  const pairs = question === -1 ? [] : path.slice(question + 1).split('&')
  const kept = pairs.filter((pair) => pair !== '' && !names.has(bareName(decodedName(pair))))
  return `${pathname}?${[...kept, ...keys.map(({ pair }) => pair)].join('&')}`
}

/** The headers with the keys behind the cookies that are in them, of which those with the same names are taken out. */
export function withCookieKeys(headers: HeaderSet, keys: readonly SentKey[]): HeaderSet {
  if (keys.length === 0) return headers
  const names = new Set(keys.map(({ name }) => name))
  const before = Object.entries(headers).filter(([name]) => name.toLowerCase() === 'cookie')
  const kept = before
    .flatMap(([, value]) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !names.has(pair.split('=', 1).join('').trim()))
  return mergeHeaders(headers, { Cookie: [...kept, ...keys.map(({ pair }) => pair)].join('; ') })
}

function lastOfEach(keys: readonly SentKey[]): readonly SentKey[] {
  return [...new Map(keys.map((key) => [key.name, key])).values()]
}

function decodedName(pair: string): string {
  const name = pair.split('=', 1).join('').replaceAll('+', ' ')
  try {
    return decodeURIComponent(name)
  } catch {
    // A `%` that is none of UTF-8, from the document's own path: no name of ours has one.
    return name
  }
}

function unsafe(message: string): GatewayError {
  return new GatewayError('unsafe_value', message)
}
