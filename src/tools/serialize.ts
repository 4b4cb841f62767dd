import { GatewayError } from '../errors.ts'
import { isObject } from './json.ts'
import { bareName } from './names.ts'

const depthMax = 16
/** Of JSON: deeper, the parsers of many an API fail or crash. Node's own writer failed at some thousands until Node 26 and has no limit since. */
const jsonDepthMax = 1000

/** How one value of a parameter is written (RFC 6570 by way of OpenAPI 3.1 §4.8.12.2). */
export interface Style {
  readonly name: string
  readonly argument: string
  readonly style: string
  readonly explode: boolean
  readonly allowReserved: boolean
}

/** Percent-encodes everything but letters, digits and `-._~!'()*`. Throws `unsafe_value` for half a character (a lone surrogate). */
export function encodeValue(text: string, argument: string): string {
  if (!text.isWellFormed()) throw unsafe(argument, 'has a broken character in it')
  return encodeURIComponent(text)
}

/** A value that stands alone; lists and objects inside one are written as JSON. */
export function plainText(value: unknown, argument: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null) return jsonText(value, argument)
  return String(value)
}

/** The value, which came as JSON (whole numbers as `bigint` where others would be rounded), as JSON. Throws `unsafe_value` when it is nested more than a thousand levels deep. */
export function jsonText(value: unknown, argument: string): string {
  if (isDeeperThan(jsonDepthMax, value)) throw unsafe(argument, `is nested more than ${jsonDepthMax} levels deep`)
  try {
    return JSON.stringify(value) ?? 'null'
  } catch (error) {
    // A `bigint`, the one thing in arguments that Node does not write by itself. Looking for it would cost every call.
    if (error instanceof TypeError) return JSON.stringify(value, withBigInt)
    throw error
  }
}

function withBigInt(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) return value.some((item) => isDeeperThan(levels - 1, item))
  for (const name in value) if (isDeeperThan(levels - 1, Reflect.get(value, name))) return true
  return false
}

/** The bytes that base64 (either alphabet, with line breaks or without) stands for. Throws `unsafe_value` for anything else. */
export function bytesOf(value: unknown, argument: string): Buffer {
  // Linear in time: no white space can be matched in two ways.
  const isBase64 = typeof value === 'string' && /^[A-Za-z0-9+/_\s-]*(?:=\s*){0,2}$/.test(value)
  // Each character is six bits; one alone behind the last four is no byte.
  if (!isBase64 || value.replace(/[\s=]/g, '').length % 4 === 1) throw unsafe(argument, 'is not base64')
  return Buffer.from(value, 'base64')
}

/**
 * The `name=value` pairs of a query or a form, encoded; none for null and for an empty list.
 *
 * `taken` are the bare names of all parameters that there are: an exploded object, whose members stand beside them, must not
 * say one of them a second time. Rules and the other's schema have seen only the first, and many a server takes the last.
 */
export function queryPairs(value: unknown, parameter: Style, taken: ReadonlySet<string>): readonly string[] {
  const { name, argument, style, explode } = parameter
  const encode = (text: string) =>
    parameter.allowReserved ? encodeReserved(text, argument) : encodeValue(text, argument)
  const key = encodeValue(name, argument)
  if (value === null || value === undefined) return []
  if (style === 'deepObject') return deepPairs(value, key, { argument, encode, depth: 0 })
  if (Array.isArray(value)) {
    const items = value.filter((item) => item !== null).map((item) => encode(plainText(item, argument)))
    if (explode && style === 'form') return items.map((item) => `${key}=${item}`)
    return items.length === 0 ? [] : [`${key}=${items.join(separators[style] ?? ',')}`]
  }
  if (isObject(value)) {
    const entries = Object.entries(value).filter(([, member]) => member !== null)
    if (explode && style === 'form') checkMembers(entries, parameter, taken)
    const written = entries.map(([member, part]) => [encodeValue(member, argument), encode(plainText(part, argument))])
    if (explode && style === 'form') return written.map((pair) => pair.join('='))
    return written.length === 0 ? [] : [`${key}=${written.flat().join(separators[style] ?? ',')}`]
  }
  return [`${key}=${encode(plainText(value, argument))}`]
}

function checkMembers(
  entries: readonly (readonly [string, unknown])[],
  { name, argument }: Style,
  taken: ReadonlySet<string>,
): void {
  const own = bareName(name)
  const isOthers = ([member]: readonly [string, unknown]) => bareName(member) !== own && taken.has(bareName(member))
  if (entries.some(isOthers)) throw unsafe(argument, 'has a member that is called like another parameter')
}

const separators: { readonly [style: string]: string } = { spaceDelimited: '%20', pipeDelimited: '%7C' }

interface Deep {
  readonly argument: string
  readonly encode: (text: string) => string
  readonly depth: number
}

/** `filter[a][b]=1`, lists with their index: what PHP, Rails, Express and Stripe read. */
function deepPairs(value: unknown, key: string, deep: Deep): readonly string[] {
  if (deep.depth > depthMax) throw unsafe(deep.argument, 'is nested too deeply')
  if (value === null) return []
  if (typeof value !== 'object') return [`${key}=${deep.encode(plainText(value, deep.argument))}`]
  return Object.entries(value).flatMap(([name, member]) => {
    return deepPairs(member, `${key}%5B${encodeValue(name, deep.argument)}%5D`, { ...deep, depth: deep.depth + 1 })
  })
}

/** `allowReserved` leaves what may stand in a value; `&`, `#`, `+`, `=` and `%` would end it, or mean something else. */
function encodeReserved(text: string, argument: string): string {
  return encodeValue(text, argument).replace(/%(?:3A|2F|3F|40|24|2C|3B)/g, decodeURIComponent)
}

/** `a,b` and `k,v` (or `k=v`): the form of path and header parameters; `encode` is asked for every part. */
export function delimited(
  value: unknown,
  { argument, explode }: Pick<Style, 'argument' | 'explode'>,
  { encode, separator = ',' }: { encode: (text: string) => string; separator?: string },
): string {
  if (Array.isArray(value)) return value.map((item) => encode(plainText(item, argument))).join(separator)
  if (!isObject(value)) return encode(plainText(value, argument))
  return Object.entries(value)
    .map(([name, member]) => `${encode(name)}${explode ? '=' : ','}${encode(plainText(member, argument))}`)
    .join(separator)
}

/** The error for an argument that must not go where it was meant for. Never quotes the value. */
export function unsafe(argument: string, problem: string): GatewayError {
  return new GatewayError('unsafe_value', `The argument "${argument}" ${problem}.`)
}
