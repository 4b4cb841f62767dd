import { writeBody } from './body-content.ts'
import { bareName } from './names.ts'
import { type Arguments, compilePath, constantQuery } from './path-template.ts'
import { delimited, encodeValue, jsonText, queryPairs, unsafe } from './serialize.ts'
import type { OperationParameter, Tool } from './tool.ts'

/** A request to the API, without the address of its server and without credentials. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query; begins with `/`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/**
 * Compiles the operation of a tool into a function from arguments to the request. Pure and quick: nothing of the tool is
 * looked at again per call.
 *
 * The arguments must have passed the tool's check (`arguments.ts`). Throws `unsafe_value`, naming the argument, when a
 * value would leave its place: a path that climbs, a header with a line end. Nothing is sent here.
 */
export function compileRequest(tool: Tool): (args: Arguments) => UpstreamRequest {
  const { method, path, parameters, body } = tool.operation
  const pathOf = compilePath(path, parameters)
  const constant = constantQuery(path)
  const query = parameters.filter((parameter) => parameter.in === 'query')
  const queryNames = [...new URLSearchParams(constant).keys(), ...query.map(({ name }) => name)]
  const taken = new Set(queryNames.map(bareName))
  const headers = parameters.filter((parameter) => parameter.in === 'header')
  const cookies = parameters.filter((parameter) => parameter.in === 'cookie')
  return (args) => {
    const sent: Record<string, string> = {}
    for (const parameter of headers) {
      if (isGiven(args, parameter.argument)) sent[parameter.name] = headerValue(args[parameter.argument], parameter)
    }
    if (cookies.length > 0) addCookies(sent, cookies, args)
    const target =
      pathOf(args) + (query.length > 0 ? queryOf(query, args, { constant, taken }) : constant && `?${constant}`)
    const content = body && writeBody(body, args)
    if (content === undefined) return { method, path: target, headers: sent }
    sent['content-type'] = content.contentType
    return { method, path: target, headers: sent, body: content.body }
  }
}

/** The request of one call; to make many, compile once. */
export function buildRequest(tool: Tool, args: Arguments): UpstreamRequest {
  return compileRequest(tool)(args)
}

function isGiven(args: Arguments, argument: string): boolean {
  return Object.hasOwn(args, argument) && args[argument] !== undefined && args[argument] !== null
}

function queryOf(
  parameters: readonly OperationParameter[],
  args: Arguments,
  { constant, taken }: { readonly constant: string; readonly taken: ReadonlySet<string> },
): string {
  const pairs = constant === '' ? [] : [constant]
  for (const parameter of parameters) {
    if (!isGiven(args, parameter.argument)) continue
    const value = args[parameter.argument]
    pairs.push(...queryPairs(parameter.json ? jsonText(value, parameter.argument) : value, parameter, taken))
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

function headerValue(value: unknown, parameter: OperationParameter): string {
  const { argument, json } = parameter
  const text = json ? jsonText(value, argument) : delimited(value, parameter, { encode: (part) => part })
  // One line of Latin-1 (RFC 9110 §5.5): a line end would begin a header of the caller's own.
  if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) throw unsafe(argument, 'has a character that a header cannot carry')
  return text
}

function addCookies(headers: Record<string, string>, parameters: readonly OperationParameter[], args: Arguments): void {
  const pairs = parameters
    .filter((parameter) => isGiven(args, parameter.argument))
    .map((parameter) => {
      const value = args[parameter.argument]
      const text = parameter.json ? jsonText(value, parameter.argument) : listText(value, parameter)
      return `${parameter.name}=${encodeValue(text, parameter.argument)}`
    })
  if (pairs.length > 0) headers['cookie'] = pairs.join('; ')
}

function listText(value: unknown, parameter: OperationParameter): string {
  return delimited(value, { argument: parameter.argument, explode: false }, { encode: (part) => part })
}
