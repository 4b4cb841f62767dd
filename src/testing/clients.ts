import * as z from 'zod'
import type { TestGateway } from './start-gateway.ts'

/** An answer as a client sees it. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

/** What a tool's call gave. */
export interface Called extends Answered {
  /** `X-Request-Id` of the answer. */
  readonly requestId: string
  readonly isError: boolean
  /** The texts of the result; when there is none, the whole answer. */
  readonly result: string
}

const listed = z.object({ result: z.object({ tools: z.array(z.looseObject({ name: z.string() })) }) })
const called = z.object({
  result: z.object({
    content: z.array(z.looseObject({ text: z.string().optional() })),
    isError: z.boolean().optional(),
  }),
})
const logs = z.object({
  lines: z.array(z.looseObject({ requestId: z.string(), kind: z.string(), outcome: z.string() })),
})

/** A client of one MCP endpoint in the older era, which asks for the fewest headers. `headers` go with every request. */
export function mcpClient(endpoint: string, headers: Readonly<Record<string, string>> = {}) {
  const send = (method: string, params: unknown = {}, more: Readonly<Record<string, string>> = {}) =>
    request(endpoint, 'POST', {
      headers: { accept: 'application/json, text/event-stream', ...headers, ...more },
      body: { jsonrpc: '2.0', id: 1, method, params },
    })
  return {
    send,
    /** The tools as `tools/list` shows them. */
    async list() {
      return listed.parse((await send('tools/list')).json).result.tools
    },
    /** Calls a tool. An answer without a result counts as an error. */
    async call(
      name: string,
      args: Readonly<Record<string, unknown>> = {},
      more: Readonly<Record<string, string>> = {},
    ): Promise<Called> {
      const answered = await send('tools/call', { name, arguments: args }, more)
      const requestId = answered.headers.get('x-request-id') ?? ''
      const parsed = called.safeParse(answered.json)
      if (!parsed.success) {
        return { ...answered, requestId, isError: true, result: answered.text }
      }
      const { content, isError = false } = parsed.data.result
      return { ...answered, requestId, isError, result: content.map(({ text = '' }) => text).join('\n') }
    },
  }
}

/** The holder of the admin key. */
export function adminClient({ url, adminKey }: Pick<TestGateway, 'url' | 'adminKey'>) {
  const send = (method: string, path: string, body?: unknown) =>
    request(url + path, method, { headers: { authorization: `Bearer ${adminKey}` }, body })
  return {
    send,
    /** Lines of `/api/logs`, newest last; `query` as in `kind=login&limit=10`. */
    async logs(query = '') {
      return logs.parse((await send('GET', `/api/logs?${query}`)).json).lines
    },
  }
}

async function request(
  url: string,
  method: string,
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: unknown },
): Promise<Answered> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(url, { method, headers: { ...type, ...headers }, redirect: 'manual', ...sent })
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
