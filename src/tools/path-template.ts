import { GatewayError } from '../errors.ts'
import { isObject } from './json.ts'
import { isDotSegment, splitPath } from './operations.ts'
import { delimited, encodeValue, jsonText, plainText, unsafe } from './serialize.ts'
import type { OperationParameter } from './tool.ts'

/** The arguments of a call: checked, by name. */
export type Arguments = { readonly [argument: string]: unknown }

type Part = string | OperationParameter
type Segment = readonly Part[]

/**
 * Compiles a path template. What it returns fills in the arguments so that each stays inside its own segment (T14).
 *
 * A value is percent-encoded; one that is empty, or that means "here" or "up" once somebody behind us decodes it, is refused
 * with `unsafe_value`. Two guards in a row: every value, and every finished segment (`/files/.{a}` filled with `.`).
 */
export function compilePath(path: string, parameters: readonly OperationParameter[]): (args: Arguments) => string {
  const byName = new Map(parameters.filter((one) => one.in === 'path').map((one) => [one.name, one]))
  const segments = splitPath(path)
    .pathname.slice(1)
    .split('/')
    .map((segment) => compileSegment(segment, byName))
  if (segments.every(isLiteral)) {
    const fixed = `/${segments.map((parts) => parts.join('')).join('/')}`
    return () => fixed
  }
  return (args) => `/${segments.map((parts) => fillSegment(parts, args)).join('/')}`
}

/** The constant query of a path, ready to be sent; empty without one. */
export function constantQuery(path: string): string {
  return encodeLiteral(splitPath(path).query, /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@%/?]/gu)
}

function isLiteral(parts: Segment): boolean {
  return parts.every((part) => typeof part === 'string')
}

function compileSegment(segment: string, byName: ReadonlyMap<string, OperationParameter>): Segment {
  return segment
    .split(/(\{[^{}]+\})/)
    .filter((part) => part !== '')
    .map((part) => {
      if (!part.startsWith('{')) return encodeLiteral(part)
      const parameter = byName.get(part.slice(1, -1))
      if (!parameter) throw new GatewayError('internal', `The path has ${part}, but no parameter for it.`)
      return parameter
    })
}

/** Encodes what cannot stand in a path; what the document has encoded already stays. */
function encodeLiteral(text: string, others = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@%]/gu): string {
  return text.toWellFormed().replace(others, encodeURIComponent)
}

function fillSegment(parts: Segment, args: Arguments): string {
  let segment = ''
  let last: OperationParameter | undefined
  for (const part of parts) {
    if (typeof part === 'string') segment += part
    else {
      segment += pathValue(part, args)
      last = part
    }
  }
  if (last && isDotSegment(segment)) throw unsafe(last.argument, 'would change the path of the request')
  return segment
}

function pathValue(parameter: OperationParameter, args: Arguments): string {
  const { argument, name, style, explode, json } = parameter
  const value = Object.hasOwn(args, argument) ? args[argument] : undefined
  if (value === undefined || value === null) throw unsafe(argument, 'is part of the path and is missing')
  const encode = (text: string) => encodeSegment(text, argument)
  if (json) return encode(jsonText(value, argument))
  if (style === 'label') return `.${delimited(value, parameter, { encode, separator: explode ? '.' : ',' })}`
  if (style === 'matrix') return matrix(value, parameter, { key: encodeValue(name, argument), encode })
  const text = delimited(value, parameter, { encode })
  if (text === '') throw unsafe(argument, 'is part of the path and is empty')
  return text
}

/** `;color=blue,black`, or exploded `;color=blue;color=black` and `;R=100;G=200`. */
function matrix(
  value: unknown,
  parameter: OperationParameter,
  { key, encode }: { key: string; encode: (text: string) => string },
): string {
  const { argument, explode } = parameter
  if (explode && Array.isArray(value))
    return value.map((item) => `;${key}=${encode(plainText(item, argument))}`).join('')
  if (explode && isObject(value)) return `;${delimited(value, parameter, { encode, separator: ';' })}`
  return `;${key}=${delimited(value, parameter, { encode })}`
}

/** One value for a path. `encodeURIComponent` keeps `/ ? # % \` and line ends from acting on us; the check, on those behind us. */
function encodeSegment(text: string, argument: string): string {
  if (climbs(text)) throw unsafe(argument, 'has a "." or ".." path segment in it')
  return encodeValue(text, argument)
}

/**
 * Whether some server that decodes once more than it should would read a `.` or `..` segment in the text: proxies decode
 * `%2F` before they resolve dots, and Tomcat drops what follows a `;`. `a/b` is fine, and `a/../b` is not.
 */
function climbs(text: string): boolean {
  if (!text.includes('.') && !text.includes('%')) return false
  let decoded = text
  for (let round = 0; round < 4; round += 1) {
    if (decoded.split(/[/\\]/).some((segment) => /^\.{1,2}$/.test(segment.split(';', 1)[0]?.trim() ?? ''))) return true
    const next = decoded.replace(/%(?:2e|2f|5c|3b|25)/gi, decodeURIComponent)
    if (next === decoded) return false
    decoded = next
  }
  return true // Still encoded after four rounds: nobody means well with that.
}
