import { readFile } from 'node:fs/promises'
import { z } from 'zod'

/** An answer as a client sees it; `body` is parsed when it is JSON, else the text. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
  readonly text: string
}

/** One HTTP request; an object as `body` is sent as JSON. */
export async function send(
  method: string,
  url: string,
  { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answered> {
  const isText = typeof body === 'string'
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? null : isText ? body : JSON.stringify(body),
    redirect: 'manual',
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: parsed(text), text }
}

/** One JSON-RPC request of the 2025 era. */
export function rpc(
  endpoint: string,
  method: string,
  {
    params,
    token,
    headers = {},
  }: { readonly params?: unknown; readonly token?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answered> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return send('POST', endpoint, {
    body: { jsonrpc: '2.0', id: 1, method, ...(params === undefined ? {} : { params }) },
    headers: { ...authorization, ...headers },
  })
}

const toolResult = z.object({
  result: z.object({
    content: z.array(z.object({ type: z.string(), text: z.string() })),
    isError: z.boolean().optional(),
  }),
})

/** Calls a tool and gives the text of its result. */
export async function callTool(
  endpoint: string,
  name: string,
  { args = {}, token }: { readonly args?: unknown; readonly token?: string } = {},
): Promise<{ readonly text: string; readonly isError: boolean; readonly requestId: string }> {
  const answered = await rpc(endpoint, 'tools/call', {
    params: { name, arguments: args },
    ...(token === undefined ? {} : { token }),
  })
  const parsedResult = toolResult.safeParse(answered.body)
  if (!parsedResult.success) throw new Error(`No tool result but ${answered.status} ${answered.text}`)
  const { content, isError = false } = parsedResult.data.result
  return { text: content.map(({ text }) => text).join('\n'), isError, requestId: idOf(answered) }
}

const listed = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) })

/** The names that `tools/list` shows. */
export async function toolNames(endpoint: string, token?: string): Promise<readonly string[]> {
  const answered = await rpc(endpoint, 'tools/list', token === undefined ? {} : { token })
  const parsedResult = listed.safeParse(answered.body)
  if (!parsedResult.success) throw new Error(`No list of tools but ${answered.status} ${answered.text}`)
  return parsedResult.data.result.tools.map(({ name }) => name)
}

/** The management API of one gateway, as the holder of the key uses it. */
export function adminOf(url: string, key: string) {
  return (method: string, path: string, body?: unknown) =>
    send(method, `${url}${path}`, {
      headers: { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { body }),
    })
}

/** The admin key that a gateway has left in its folder of keys. */
export async function readAdminKey(keysDir: string): Promise<string> {
  return (await readFile(`${keysDir}/admin.key`, 'utf8')).trim()
}

/** What stands at this place in parsed JSON; undefined when nothing does. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value
  for (const name of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Reflect.get(here, name)
  }
  return here
}

/** The text at this place in parsed JSON. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path)
  if (typeof found !== 'string') throw new Error(`No text at ${path.join('.')} of ${JSON.stringify(value)}`)
  return found
}

export function idOf({ headers }: Answered): string {
  return headers.get('x-request-id') ?? ''
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
