import type { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import { type Permission, requirePermission, type Standing } from '../accounts/permissions.ts'
import type { Reach } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Origin } from '../records/audit-event.ts'
import { problemsOf } from '../workspaces/settings.ts'
import { type ApiCaller, originOf } from './authenticate.ts'

/**
 * What whoever calls a route must be: a role with this permission in the account that the call is about; the holder of the
 * admin key; anybody who has signed in, whatever the account; nobody in particular.
 */
export type Needs = Permission | 'operator' | 'sign_in' | 'nobody'

/** One endpoint of `/api`. The table of these is the whole API; its description is made from them too. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** As in `/api/workspaces/{id}`. `{account}` in it names the account that the call is about. */
  readonly path: string
  readonly summary: string
  readonly needs: Needs
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
  /** Undefined where the route needs nobody. */
  readonly caller: ApiCaller | undefined
  /** Undefined where the route needs no account. */
  readonly entered: Entered | undefined
  /** Adds a header to the answer. */
  readonly setHeader: (name: string, value: string) => void
  /** How whoever asks reaches us: every URL in the answer begins so. Without a slash at its end. */
  readonly publicUrl: string
}

/** The account that a call is about, and what the caller is in it. */
export interface Entered {
  readonly account: Account
  readonly standing: Standing
  /** False: whoever holds the admin key has named none, so the default is meant, and lists that go over all may do so. */
  readonly isNamed: boolean
}

/** Who is let in, and where. */
export interface Gate {
  /** @throws GatewayError `missing_token`, `invalid_token`, `forbidden`, `rate_limited` */
  authenticate(exchange: Exchange): Promise<ApiCaller>
  /** @throws GatewayError `not_found`, also for an account of others; `invalid_request` when one has to be named. */
  enter(caller: ApiCaller, named: string | undefined): Promise<Entered>
}

interface Parsed<Query extends z.ZodType, Body extends z.ZodType> {
  readonly params: Readonly<Record<string, string>>
  readonly query: z.output<Query>
  readonly body: z.output<Body>
  readonly by: Origin
  readonly setHeader: ApiCall['setHeader']
  readonly publicUrl: string
}

/** A call in an account. */
interface AccountCall<Query extends z.ZodType, Body extends z.ZodType> extends Parsed<Query, Body> {
  readonly account: Account
  readonly standing: Standing
  /** How far addresses may reach that the caller names (PRODUCT.md, 13). */
  readonly reach: Reach
  /** Whose lines may be read: the account's; undefined: everybody's, since it is the operator who asks. */
  readonly readable: string | undefined
}

type Definition<Query extends z.ZodType, Body extends z.ZodType, Call, Need extends Needs> = Omit<
  Route,
  'handle' | 'query' | 'body' | 'needs'
> & {
  readonly needs: Need
  readonly query?: Query
  readonly body?: Body
  readonly handle: (call: Call) => Promise<unknown>
}

/** A route in an account, whose handler gets its query and body parsed, with their types. */
export function route<Query extends z.ZodType = z.ZodUndefined, Body extends z.ZodType = z.ZodUndefined>(
  definition: Definition<Query, Body, AccountCall<Query, Body>, Permission | 'operator'>,
): Route {
  return {
    ...definition,
    handle: (call) => {
      const { entered } = call
      if (entered === undefined) throw new GatewayError('internal', 'Internal error', { cause: 'no account' })
      const { account, standing, isNamed } = entered
      return definition.handle({
        ...parsedCall(call, definition.query, definition.body),
        account,
        standing,
        reach: standing === 'operator' ? 'operator' : 'person',
        readable: standing === 'operator' && !isNamed ? undefined : account.id,
      })
    },
  }
}

/** A route for whoever has signed in, in whichever account. */
export function signedInRoute<Query extends z.ZodType = z.ZodUndefined, Body extends z.ZodType = z.ZodUndefined>(
  definition: Definition<Query, Body, Parsed<Query, Body> & { readonly caller: ApiCaller }, 'sign_in'>,
): Route {
  return {
    ...definition,
    handle: (call) => {
      const { caller } = call
      if (caller === undefined) throw new GatewayError('internal', 'Internal error', { cause: 'no caller' })
      return definition.handle({ ...parsedCall(call, definition.query, definition.body), caller })
    },
  }
}

/** A route for everybody: it brings its own limits. */
export function openRoute<Query extends z.ZodType = z.ZodUndefined, Body extends z.ZodType = z.ZodUndefined>(
  definition: Definition<Query, Body, Parsed<Query, Body>, 'nobody'>,
): Route {
  return { ...definition, handle: (call) => definition.handle(parsedCall(call, definition.query, definition.body)) }
}

function parsedCall<Query extends z.ZodType, Body extends z.ZodType>(
  { params, by, setHeader, publicUrl, ...call }: ApiCall,
  query: Query | undefined,
  body: Body | undefined,
): Parsed<Query, Body> {
  return {
    ...{ params, by, setHeader, publicUrl },
    query: parsed(query, call.query, 'query'),
    body: parsed(body, call.body, 'body'),
  }
}

/** Names the account that a call is about, by id or slug. */
export const ACCOUNT_HEADER = 'x-gatehouse-account'
/** Whoever has not signed in needs no more. */
const OPEN_BODY_BYTES_MAX = 16_384

/** Finds the route of an exchange and runs it. */
export async function runRoute(
  routes: readonly Route[],
  exchange: Exchange,
  { gate, publicUrl }: { readonly gate: Gate; readonly publicUrl: string },
): Promise<void> {
  const matching = routes.filter((candidate) => matchPath(candidate.path, exchange.path) !== undefined)
  const found = matching.find((candidate) => candidate.method === exchange.method)
  // The credential comes first: without it nobody learns which paths exist.
  const caller = found?.needs === 'nobody' ? undefined : await gate.authenticate(exchange)
  if (found === undefined) throw nothingHere(matching)
  const params = matchPath(found.path, exchange.path) ?? {}
  const entered = await enter(found, { caller, gate, named: params['account'] ?? exchange.header(ACCOUNT_HEADER) })
  if (caller === undefined) refuseLargeBody(exchange)
  const body = found.body === undefined ? undefined : await readJson(exchange)
  const query = found.query === undefined ? undefined : Object.fromEntries(new URLSearchParams(exchange.query))
  const headers: Record<string, string> = {}
  const setHeader = (name: string, value: string) => {
    headers[name] = value
  }
  const by = originOf(caller, exchange)
  const answer = await found.handle({ params, query, body, by, caller, entered, setHeader, publicUrl })
  const { status } = found
  exchange.send(answer === undefined ? { status, headers } : { status, headers, body: JSON.stringify(answer) })
}

/** The account of the call, once the caller is found to be allowed this in it. */
async function enter(
  { needs }: Route,
  { caller, gate, named }: { caller: ApiCaller | undefined; gate: Gate; named: string | undefined },
): Promise<Entered | undefined> {
  if (caller === undefined || needs === 'nobody' || needs === 'sign_in') return undefined
  const entered = await gate.enter(caller, named)
  if (needs !== 'operator') requirePermission(entered.standing, needs)
  else if (entered.standing !== 'operator') throw new GatewayError('forbidden', 'This needs the admin key.')
  return entered
}

function nothingHere(matching: readonly Route[]): GatewayError {
  if (matching.length === 0) {
    return new GatewayError('not_found', 'There is nothing at this address. See /api/openapi.json.')
  }
  const allow = matching.map((candidate) => candidate.method)
  return new GatewayError('method_not_allowed', `This address takes ${allow.join(', ')}.`, { allow })
}

function refuseLargeBody(exchange: Exchange): void {
  if (exchange.method === 'GET') return
  const bytes = Number(exchange.header('content-length') ?? Number.POSITIVE_INFINITY)
  if (bytes <= OPEN_BODY_BYTES_MAX) return
  throw new GatewayError('payload_too_large', `Send a body of at most ${OPEN_BODY_BYTES_MAX} bytes, and its length.`)
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
