import type { TestGateway } from '../../../src/testing/start-gateway.ts'

/** An answer as a client sees it. */
export interface Seen {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

export interface PostOptions {
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export const TOOLS_LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

/** Sends one MCP message in the older era, which asks for the fewest headers. */
export function post(endpoint: string, message: unknown, { token, headers, signal }: PostOptions = {}): Promise<Seen> {
  return seen(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** What a tool's call gave: the text of its result, or the JSON-RPC error. */
export interface Called extends Seen {
  readonly isError: boolean
  readonly result: string
}

/** Calls a tool as a client does. */
export async function callTool(
  endpoint: string,
  token: string,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<Called> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
  const answer = await post(endpoint, message, { token })
  const result = at(answer.json, 'result')
  const content = at(result, 'content')
  const texts = Array.isArray(content) ? content.map((one: unknown) => String(at(one, 'text') ?? '')) : []
  const isError = result === undefined || at(result, 'isError') === true
  const failure = result === undefined ? String(at(at(answer.json, 'error'), 'message') ?? answer.text) : ''
  return { ...answer, isError, result: result === undefined ? failure : texts.join('\n') }
}

/** Calls the management API with the admin key. */
export function callApi(gateway: TestGateway, method: string, path: string, body?: unknown): Promise<Seen> {
  return seen(gateway.url + path, {
    method,
    headers: { authorization: `Bearer ${gateway.adminKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

/** The member of an object that came from JSON. */
export function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

async function seen(url: string, init: RequestInit): Promise<Seen> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is an answer too: the test looks at the text.
    return undefined
  }
}
