import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { SignJWT } from 'jose'
import { importAnswer, logsAnswer, toolsAnswer, workspaceAnswer } from '../api/contract.ts'
import { createEgress } from '../egress/create-egress.ts'
import type { Egress } from '../egress/egress.ts'
import type { TestApi } from '../test-api/test-api.ts'
import type { AdminClient } from './admin-client.ts'
import type { DemoStep } from './demo-print.ts'

export interface StoryParts {
  readonly api: TestApi
  readonly admin: AdminClient
  /** Signs the caller's JWT; the workspace gets it as its shared secret. */
  readonly callerSecret: string
}

export interface Story {
  readonly steps: AsyncIterable<DemoStep>
  /** What a client needs; known once the workspace is made. */
  readonly connection: () => { readonly mcpUrl: string; readonly token: string }
}

const ISSUER = 'https://demo-issuer.example'
const AUDIENCE = 'gatehouse-demo'
const TOOLS = ['listItems', 'createItem', 'listUsers', 'getStats', 'deleteItem']

/** The main job, step by step, as the README tells it. Each step checks what it says. */
export function runStory(parts: StoryParts): Story {
  let connection = { mcpUrl: '', token: '' }
  async function* steps(): AsyncGenerator<DemoStep> {
    const mcpUrl = yield* makeWorkspace(parts)
    connection = { mcpUrl, token: await mint(parts.callerSecret, 3600) }
    const client = new Client({ name: 'gatehouse-demo', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
    yield* connect(parts, client, connection)
    try {
      yield* callTools(parts, client)
    } finally {
      await client.close()
    }
    yield* refusals(parts, mcpUrl)
  }
  return { steps: steps(), connection: () => connection }
}

async function* makeWorkspace({ api, admin, callerSecret }: StoryParts): AsyncGenerator<DemoStep, string> {
  const step = stepper('1. Make the workspace', api)
  const made = await step.run(() => admin.call('POST', '/api/workspaces', workspaceAnswer, { name: 'test-jwt' }))
  const path = `/api/workspaces/${made.value.id}`
  yield made.step('workspace create test-jwt', 'makes the workspace and its URL', true)

  const spec = await step.run(() =>
    admin.call('POST', `${path}/import`, importAnswer, { url: `${api.origin}/openapi.json` }),
  )
  yield spec.step(
    'import /openapi.json',
    `finds ${spec.value.added.length} operations`,
    spec.value.added.length === TOOLS.length,
  )

  const settings = {
    auth: { authType: 'jwt', jwt: { secret: callerSecret, issuer: ISSUER, audience: AUDIENCE } },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
  }
  const set = await step.run(() => admin.call('PATCH', path, workspaceAnswer, settings))
  yield set.step(
    'set Bearer, login_url, password',
    'seals them; shows only "saved"',
    !JSON.stringify(set.value).includes('"password":"'),
  )

  const switches = Object.fromEntries(TOOLS.map((name) => [name, true]))
  const tools = await step.run(() => admin.call('PATCH', `${path}/tools`, toolsAnswer, switches))
  const on = tools.value.tools.filter(({ enabled }) => enabled).length
  yield tools.step('switch the tools on', `${on} of ${tools.value.tools.length} tools are on`, on === TOOLS.length)
  return made.value.url
}

async function* connect(
  { api }: StoryParts,
  client: Client,
  { mcpUrl, token }: { readonly mcpUrl: string; readonly token: string },
): AsyncGenerator<DemoStep> {
  const step = stepper('2. Connect the official MCP client, with a JWT', api)
  const headers = { Authorization: `Bearer ${token}` }
  const connected = await step.run(() =>
    client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit: { headers } })),
  )
  yield connected.step('connect', `checks the JWT; speaks ${client.getNegotiatedProtocolVersion()}`, true)
  const listed = await step.run(() => client.listTools())
  const names = listed.value.tools.map(({ name }) => name)
  yield listed.step(
    'tools/list',
    `shows ${names.length} tools`,
    TOOLS.every((name) => names.includes(name)),
  )
}

async function* callTools({ api, admin }: StoryParts, client: Client): AsyncGenerator<DemoStep> {
  const first = stepper('3. Call the tools', api)
  const call = (name: string, args: Record<string, unknown> = {}) => client.callTool({ name, arguments: args })
  const listItems = await first.run(() => call('listItems'))
  yield listItems.step('tools/call listItems', 'logs in, then calls: one round trip', isOk(listItems, { logins: 1 }))

  const created = await first.run(() => call('createItem', { name: 'From the demo' }))
  yield created.step('tools/call createItem', 'token from the cache', isOk(created, { logins: 0 }))
  for (const name of ['listUsers', 'getStats']) {
    const called = await first.run(() => call(name))
    yield called.step(`tools/call ${name}`, 'token from the cache', isOk(called, { logins: 0 }))
  }
  const id = idIn(created.value)
  const deleted = await first.run(() => call('deleteItem', { id }))
  yield deleted.step(`tools/call deleteItem ${id}`, 'token from the cache', isOk(deleted, { logins: 0 }))

  const later = stepper('4. The API’s token grows old', api)
  const waited = await later.run(() => pause(api.ttlSeconds * 500 + 100))
  yield waited.step('waits', 'keeps a short token for half its life', true)
  const refreshed = await later.run(() => call('getStats'))
  yield refreshed.step('tools/call getStats', 'refreshes, then calls: not noticed', isOk(refreshed, { refreshes: 1 }))
  api.revokeTokens()
  const renewed = await later.run(() => call('getStats'))
  const lines = await admin.call('GET', '/api/logs?limit=1000', logsAnswer)
  const kinds = lines.lines.map(({ kind }) => kind)
  yield renewed.step(
    'tools/call getStats, token revoked',
    'gets 401, signs in again, repeats once',
    isOk(renewed, {}) && kinds.includes('login'),
  )
}

async function* refusals({ api, callerSecret }: StoryParts, mcpUrl: string): AsyncGenerator<DemoStep> {
  const step = stepper('5. Somebody without a good token', api)
  await using egress = closing(createEgress())
  const attempts = [
    { what: 'tools/list, no token', token: undefined, expected: 'No authorization header provided' },
    { what: 'tools/list, expired token', token: await mint(callerSecret, -60), expected: 'JWT token has expired' },
  ]
  for (const { what, token, expected } of attempts) {
    const refused = await step.run(() => listWith(egress, mcpUrl, token))
    const { status, reason, challenge } = refused.value
    const right = status === 401 && reason === expected && challenge.startsWith('Bearer ')
    yield refused.step(what, `${status}: ${reason}`, right)
  }
}

/** One bare request, as a client without a good token would send it. */
async function listWith(egress: Egress, mcpUrl: string, token: string | undefined) {
  const { origin, pathname } = new URL(mcpUrl)
  const { status, headers, body } = await egress.send({
    method: 'POST',
    origin,
    path: pathname,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    reach: 'operator',
    timeoutMs: 10_000,
    responseBytesMax: 1_000_000,
  })
  const answer: unknown = JSON.parse(body.toString('utf8'))
  const reason = typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : ''
  return { status, reason, challenge: String(headers['www-authenticate']) }
}

interface Ran<Value> {
  readonly value: Value
  readonly saw: {
    readonly calls: number
    readonly logins: number
    readonly refreshes: number
    readonly refused: number
    readonly described: number
  }
  readonly step: (client: string, gatehouse: string, right: boolean) => DemoStep
}

/** Runs one step and counts what the API saw of it. */
function stepper(chapter: string, api: TestApi) {
  return {
    async run<Value>(work: () => Promise<Value>): Promise<Ran<Value>> {
      const before = { ...api.counts, described: timesDescribed(api) }
      const startedAt = performance.now()
      const value = await work()
      const durationMs = performance.now() - startedAt
      const saw = {
        calls: api.counts.calls - before.calls,
        logins: api.counts.logins - before.logins,
        refreshes: api.counts.refreshes - before.refreshes,
        refused: api.counts.refused - before.refused,
        described: timesDescribed(api) - before.described,
      }
      return {
        value,
        saw,
        step: (client, gatehouse, right) => ({ chapter, client, gatehouse, api: inWords(saw), durationMs, right }),
      }
    },
  }
}

function timesDescribed(api: TestApi): number {
  return api.seen.filter(({ path }) => path === '/openapi.json').length
}

function inWords(saw: Ran<unknown>['saw']): string {
  const parts = [
    ...(saw.described > 0 ? ['its description read'] : []),
    ...(saw.refused > 0 ? ['a 401'] : []),
    ...(saw.logins > 0 ? ['a login'] : []),
    ...(saw.refreshes > 0 ? ['a refresh'] : []),
    ...(saw.calls > 0 ? ['a call'] : []),
  ]
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

function isOk(ran: Ran<unknown>, expected: { readonly logins?: number; readonly refreshes?: number }): boolean {
  const { value, saw } = ran
  const isError = typeof value === 'object' && value !== null && 'isError' in value && value.isError === true
  return (
    !isError &&
    saw.calls === 1 &&
    (expected.logins ?? saw.logins) === saw.logins &&
    (expected.refreshes ?? saw.refreshes) === saw.refreshes
  )
}

/** The id of the item in the text of a tool's result. */
function idIn(result: Awaited<ReturnType<Client['callTool']>>): number {
  const [first] = 'content' in result && Array.isArray(result.content) ? result.content : []
  const item: unknown = first?.type === 'text' ? JSON.parse(first.text) : undefined
  return typeof item === 'object' && item !== null && 'id' in item ? Number(item.id) : Number.NaN
}

function closing(egress: Egress): Egress & AsyncDisposable {
  return Object.assign(egress, { [Symbol.asyncDispose]: () => egress.close() })
}

function mint(secret: string, lifetimeSeconds: number): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ scope: 'mcp' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('demo-user')
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(now - 120)
    .setExpirationTime(now + lifetimeSeconds)
    .sign(new TextEncoder().encode(secret))
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
