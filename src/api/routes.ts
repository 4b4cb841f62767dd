import type { z } from 'zod'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Origin } from '../records/audit-event.ts'
import { problemsOf } from '../workspaces/settings.ts'

/** One endpoint of `/api`. The table of these is the whole API; its description is made from them too. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** As in `/api/workspaces/{id}`. */
  readonly path: string
  readonly summary: string
  /** Answered without the admin credential. */
  readonly open?: true
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly status: number
  readonly answer?: z.ZodType
  readonly handle: (call: ApiCall) => Promise<unknown>
}

export interface ApiCall {
  readonly params: Readonly<Record<string, string>>
  readonly query: unknown
  readonly body: unknown
  /** Who asks, for the audit. */
  readonly by: Origin
}

/** A route whose handler gets its query and body parsed, with their types. */
export function route<Query extends z.ZodType = z.ZodUndefined, Body extends z.ZodType = z.ZodUndefined>(
  definition: Omit<Route, 'handle' | 'query' | 'body'> & {
    readonly query?: Query
    readonly body?: Body
    readonly handle: (call: {
      params: Readonly<Record<string, string>>
      query: z.output<Query>
      body: z.output<Body>
      by: Origin
    }) => Promise<unknown>
  },
): Route {
  const { handle, query, body } = definition
  return {
    ...definition,
    handle: (call) =>
      handle({
        params: call.params,
        by: call.by,
        query: parsed(query, call.query, 'query'),
        body: parsed(body, call.body, 'body'),
      }),
  }
}

/** Finds the route of an exchange and runs it. */
export async function runRoute(routes: readonly Route[], exchange: Exchange, authorize: () => void): Promise<void> {
  const matching = routes.filter((candidate) => matchPath(candidate.path, exchange.path) !== undefined)
  const found = matching.find((candidate) => candidate.method === exchange.method)
  // The credential comes first: without it nobody learns which paths exist.
  if (found?.open !== true) authorize()
  if (found === undefined) {
    if (matching.length === 0)
      throw new GatewayError('not_found', 'There is nothing at this address. See /api/openapi.json.')
    const allow = matching.map((candidate) => candidate.method)
    throw new GatewayError('method_not_allowed', `This address takes ${allow.join(', ')}.`, { allow })
  }
  const body = found.body === undefined ? undefined : await readJson(exchange)
  const query = found.query === undefined ? undefined : Object.fromEntries(new URLSearchParams(exchange.query))
  const by: Origin = { actor: 'admin_key', clientAddress: exchange.clientAddress, requestId: exchange.requestId }
  const answer = await found.handle({ params: matchPath(found.path, exchange.path) ?? {}, query, body, by })
  exchange.send(
    answer === undefined ? { status: found.status } : { status: found.status, body: JSON.stringify(answer) },
  )
}

/** The values of `{names}` in the template, or undefined when the path is another one. */
export function matchPath(template: string, path: string): Record<string, string> | undefined {
  const expected = template.split('/')
  const given = path.split('/')
  if (expected.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of expected.entries()) {
    const value = given[index] ?? ''
    if (part.startsWith('{')) params[part.slice(1, -1)] = value
    else if (part !== value) return undefined
  }
  return params
}

function parsed<Schema extends z.ZodType>(schema: Schema | undefined, value: unknown, where: string): z.output<Schema>
function parsed(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new GatewayError('invalid_request', `The ${where} is not usable: ${problemsOf(result.error).join('; ')}`)
}

async function readJson(exchange: Exchange): Promise<unknown> {
  const text = await exchange.readBody()
  if (text === '') return undefined
  // A form post, which a page of any site may send without asking first, is not JSON.
  if (!/^application\/json\s*(;|$)/i.test(exchange.header('content-type') ?? '')) {
    throw new GatewayError('unsupported_media_type', 'Send the body as Content-Type: application/json.')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new GatewayError('parse_error', 'The body is not JSON.')
  }
}
