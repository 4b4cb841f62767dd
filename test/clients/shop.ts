import assert from 'node:assert/strict'
import { z } from 'zod'
import { type FaultyApi, startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

/** A gateway in front of the test API: callers come with a JWT, the API wants a login. */
export interface Shop extends AsyncDisposable {
  readonly api: TestApi
  readonly gateway: TestGateway
  readonly endpoint: string
  readonly token: string
  /** What the clients are given: the header every request must carry. */
  readonly headers: { readonly Authorization: string }
}

/** Another workspace of the same gateway, in front of the API that answers late. */
export interface SlowShop extends AsyncDisposable {
  readonly api: FaultyApi
  readonly endpoint: string
}

export interface ShopOptions {
  /** Added to what the workspace asks of a JWT. */
  readonly verifier?: Readonly<Record<string, unknown>>
  /** Added to what the token says. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** How one client lists and calls. `call` gives the result as that client hands it out. */
export interface ShopClient {
  list(): Promise<readonly string[]>
  call(name: string, args: Readonly<Record<string, string | number>>): Promise<unknown>
}

const TOOLS = ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers']
// No URL: a client that looks for an authorization server must not find the name of one and wait for it.
const ISSUER = 'test-issuer'

const toolResult = z.object({
  isError: z.boolean().optional(),
  content: z.tuple([z.object({ type: z.literal('text'), text: z.string() })]),
})
const item = z.object({ id: z.number(), name: z.string() })
const itemList = z.object({ items: z.array(item) })

/** Starts the API and the gateway. One for a whole file: every test in it brings a client of its own. */
export async function startShop({ verifier = {}, claims = {} }: ShopOptions = {}): Promise<Shop> {
  await using parts = new AsyncDisposableStack()
  const api = parts.use(await startTestApi({ mode: 'jwt' }))
  const gateway = parts.use(await startGateway())
  const callers = testCallers({ issuer: ISSUER, ...verifier })
  const { endpoint } = await gateway.makeWorkspace({
    name: 'Shop',
    source: { url: `${api.origin}/openapi.json` },
    auth: callers.auth,
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
    tools: 'all',
  })
  const token = await callers.token({ iss: ISSUER, ...claims })
  const started = parts.move()
  return {
    ...{ api, gateway, endpoint, token, headers: { Authorization: `Bearer ${token}` } },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** Adds a workspace without authentication whose tool `getSlow` answers only when told to. */
export async function addSlowShop({ gateway }: Shop, slug: string): Promise<SlowShop> {
  await using parts = new AsyncDisposableStack()
  const api = parts.use(await startFaultyApi())
  const source = { url: `${api.origin}/openapi.json` }
  const auth = { authType: 'none' }
  const { endpoint } = await gateway.makeWorkspace({ name: 'Slow', slug, source, auth, tools: 'all' })
  const started = parts.move()
  return { api, endpoint, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

/** Lists and calls the five tools through a client, and checks what came back and what the API saw. */
export async function useFiveTools({ api }: Shop, client: ShopClient): Promise<void> {
  assert.deepEqual([...(await client.list())].sort(), TOOLS)
  const call = async (name: string, args: Readonly<Record<string, string | number>> = {}) =>
    jsonOf(await client.call(name, args))
  const before = api.counts.calls

  const made = item.parse(await call('createItem', { name: 'Ship in a bottle', price: 12.5 }))
  assert.equal(made.name, 'Ship in a bottle')
  const found = itemList.parse(await call('listItems', { search: 'bottle', limit: 50 }))
  assert.ok(found.items.some(({ id }) => id === made.id))
  assert.deepEqual(await call('deleteItem', { id: made.id }), { deleted: true, id: made.id })
  assert.match(JSON.stringify(await call('listUsers')), /"username":"alice"/)
  // The API sees the user of the login flow, not the caller of the gateway.
  const { requestedBy } = z.object({ requestedBy: z.string() }).parse(await call('getStats'))
  assert.equal(requestedBy, 'admin')

  assert.ok(api.counts.calls - before >= 5, 'the API saw the five calls')
  assert.equal(api.counts.logins, 1, 'one login is enough for all calls')
}

/** The JSON that a tool answered with; fails when the tool says that it failed. */
function jsonOf(result: unknown): unknown {
  const { isError, content } = toolResult.parse(result)
  assert.notEqual(isError, true, content[0].text)
  return JSON.parse(content[0].text)
}
