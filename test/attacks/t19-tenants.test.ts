import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { ROLES, type Role } from '../../src/accounts/person.ts'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { accepted, type Caller, PASSWORD, startTeams, type TeamGateway } from '../flows/accounts.ts'
import { at, rpc, textAt } from '../flows/http.ts'

/** A route as `/api/openapi.json` tells of it: a new one is here without anybody doing anything. */
interface Described {
  readonly method: string
  readonly path: string
  readonly needs: string
  readonly hasBody: boolean
  readonly takesWorkspace: boolean
}

/**
 * A body that each route accepts, where `id` stands for somebody else's. A route that needs a body and is not here fails the
 * test: say what it takes.
 */
const BODIES: Readonly<Record<string, (id: string) => unknown>> = {
  'PATCH /api/accounts/{account}': () => ({ name: 'Taken' }),
  'POST /api/accounts': () => ({ name: 'Another' }),
  'POST /api/people': () => ({ email: 'x@example.com', name: 'x', role: 'viewer', password: PASSWORD }),
  'PATCH /api/people/{id}': () => ({ disabled: true }),
  'POST /api/invitations': () => ({ email: 'new@example.com', role: 'viewer' }),
  'POST /api/workspaces': () => ({ name: 'Mine' }),
  'PATCH /api/workspaces/{id}': () => ({ name: 'Taken' }),
  'POST /api/workspaces/{id}/import': () => ({
    document: '{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{}}',
  }),
  'PATCH /api/workspaces/{id}/tools': () => ({ listItems: false }),
  'POST /api/tokens': (id) => ({ description: 'x', expires: '1h', workspaces: [id] }),
  'POST /api/sessions': (id) => ({ subject: 'x', workspaces: [id] }),
  'POST /api/keys': (id) => ({ name: 'x', workspaces: [id] }),
  'POST /api/tokens/{id}/workspaces': (id) => ({ workspace: id }),
  'POST /api/sessions/{id}/workspaces': (id) => ({ workspace: id }),
  'POST /api/keys/{id}/workspaces': (id) => ({ workspace: id }),
  'POST /api/doctor': (id) => ({ workspace: id }),
}

/** What only its own person may do with it, and what belongs to nobody's account. */
const WITHOUT_ACCOUNT: ReadonlySet<string> = new Set(['nobody', 'sign_in'])
/** Where the id stands in the body alone. */
const NAMED_IN_BODY: ReadonlySet<string> = new Set([
  'POST /api/tokens',
  'POST /api/sessions',
  'POST /api/keys',
  'POST /api/doctor',
])
const NOBODY = 'aaaabbbbccccdddd'

let teams: TeamGateway
let api: TestApi
let routes: readonly Described[]
const callers = new Map<Role, Caller>()
/** Every id of every kind that the victims have, by kind. */
const theirs = new Map<string, string>()
/** What must be in no answer. */
let marks: readonly string[] = []
let victimToken = ''
let victimUrl = ''
let ownUrl = ''
let ownAccount = ''

before(async () => {
  api = await startTestApi({ mode: 'none' })
  teams = await startTeams()
  const { admin, stranger } = teams
  const source = { url: `${api.origin}/openapi.json` }
  theirs.set('account', await teams.account('victims'))
  ownAccount = await teams.account('thieves')
  const inVictims = { account: 'victims' }
  const id = async (path: string, body: unknown) =>
    textAt((await accepted(admin('POST', path, body, inVictims))).body, 'id')
  const shop = await accepted(admin('POST', '/api/workspaces', { name: 'CANARY Shop', source }, inVictims))
  victimUrl = textAt(shop.body, 'url')
  theirs.set('workspace', textAt(shop.body, 'id')).set('workspace slug', textAt(shop.body, 'slug'))
  const scoped = { workspaces: ['canary-shop'] }
  const token = await accepted(admin('POST', '/api/tokens', { description: 'CANARY', ...scoped }, inVictims))
  victimToken = textAt(token.body, 'value')
  theirs.set('token', textAt(token.body, 'id'))
  theirs.set('key', await id('/api/keys', { name: 'CANARY', ...scoped }))
  theirs.set('session', await id('/api/sessions', { subject: 'CANARY', ...scoped }))
  theirs.set('person', (await teams.person('canary.victim', { account: 'victims' })).id)
  theirs.set('invitation', await id('/api/invitations', { email: 'canary.guest@example.com', role: 'viewer' }))
  const log = await rpc(victimUrl, 'tools/list', { token: victimToken })
  theirs.set('log line', log.headers.get('x-request-id') ?? '')
  const audit = await admin('GET', '/api/audit', undefined, inVictims)
  theirs.set('audit line', textAt(audit.body, 'lines', 0, 'hash'))
  for (const role of ROLES) callers.set(role, (await teams.person(`thief-${role}`, { role, account: 'thieves' })).call)
  const own = await admin('POST', '/api/workspaces', { name: 'Own', source }, { account: 'thieves' })
  ownUrl = textAt(own.body, 'url')
  marks = ['canary', ...theirs.values()]
  routes = describedIn((await stranger('GET', '/api/openapi.json')).body)
})

after(async () => {
  await teams[Symbol.asyncDispose]()
  await api.stop()
})

const operations = z.record(
  z.string(),
  z.record(
    z.string(),
    z.object({
      'x-gatehouse-needs': z.string(),
      requestBody: z.unknown().optional(),
      parameters: z.array(z.object({ name: z.string(), in: z.string() })),
    }),
  ),
)

function describedIn(description: unknown): readonly Described[] {
  const paths = operations.parse(at(description, 'paths'))
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { 'x-gatehouse-needs': needs, requestBody, parameters }]) => ({
      ...{ method: method.toUpperCase(), path, needs, hasBody: requestBody !== undefined },
      takesWorkspace: parameters.some(({ name, in: where }) => name === 'workspace' && where === 'query'),
    })),
  )
}

interface Tried {
  readonly role: Role
  readonly id: string
  /** What the header says. */
  readonly account?: string | undefined
}

/** Calls the route with this id wherever it takes one. */
async function call({ method, path, hasBody, takesWorkspace }: Described, { role, id, account }: Tried) {
  const caller = callers.get(role)
  assert.ok(caller)
  const name = `${method} ${path}`
  const body = BODIES[name]
  assert.ok(!hasBody || body !== undefined, `${name}: add the body that it takes to BODIES`)
  const named =
    path.replace(/\{\w+\}/g, encodeURIComponent(id)) + (takesWorkspace ? `?workspace=${encodeURIComponent(id)}` : '')
  return caller(method, named, hasBody ? body?.(id) : undefined, { account })
}

/** Routes in whose path, query or body an id of an account can stand. */
function naming(): readonly Described[] {
  return routes.filter(
    ({ method, path, needs, takesWorkspace }) =>
      !WITHOUT_ACCOUNT.has(needs) && (path.includes('{') || takesWorkspace || NAMED_IN_BODY.has(`${method} ${path}`)),
  )
}

function withoutMarks(text: string, what: string): void {
  const shown = withoutOwnDenials(text).toLowerCase()
  for (const mark of marks) assert.ok(!shown.includes(mark.toLowerCase()), `${what} shows ${mark}: ${text}`)
}

/** Our own refusals say what we asked for: whatever is in there, we have typed. */
function withoutOwnDenials(text: string): string {
  const answer: unknown = JSON.parse(text)
  const lines = at(answer, 'lines')
  if (!Array.isArray(lines)) return text
  return JSON.stringify(
    lines.filter((line) => at(line, 'action') !== 'access.denied' || at(line, 'accountId') !== ownAccount),
  )
}

/** Everything that the victims have, as the operator sees it. */
async function estate(): Promise<string> {
  const texts: string[] = []
  for (const noun of [
    'workspaces',
    'tokens',
    'keys',
    'sessions',
    'people',
    'invitations',
    'workspaces/canary-shop/tools',
  ]) {
    texts.push((await teams.admin('GET', `/api/${noun}`, undefined, { account: 'victims' })).text)
  }
  const account = await teams.admin('GET', '/api/accounts/victims')
  return [...texts, account.text].join('\n').replace(/"lastUsedAt":"[^"]*"/g, '')
}

suite('T19: another tenant’s ids', () => {
  test('the table of routes is whole: those with ids are tried, and there are many', () => {
    assert.ok(routes.length >= 45, `${routes.length}`)
    assert.ok(naming().length >= 25, `${naming().length}`)
    assert.ok([...theirs.values()].every((id) => id !== ''))
  })

  test('every id of every kind is not found at every route, for every role: as if it were nobody’s', async () => {
    const untouched = await estate()
    for (const route of naming()) {
      for (const role of ROLES) {
        const nobody = await call(route, { role, id: NOBODY })
        for (const [kind, id] of theirs) {
          const what = `${role}: ${route.method} ${route.path} with a ${kind}`
          const answer = await call(route, { role, id })
          const told = answer.text.replaceAll(id, NOBODY)
          assert.deepEqual([answer.status, told], [nobody.status, nobody.text], what)
          // A list that is narrowed by an unknown name may be empty; nothing else succeeds.
          const isEmptyList = route.path === '/api/audit' && /"lines":\[\]/.test(told)
          assert.ok([403, 404].includes(answer.status) || isEmptyList, `${what}: ${answer.status} ${told}`)
          if (role === 'owner' && route.needs !== 'operator') assert.ok(answer.status === 404 || isEmptyList, what)
        }
      }
    }
    assert.equal(await estate(), untouched)
  })

  test('any id, written in any way, in any account that is named, at any route, by any role: nothing is shown or changed', async () => {
    const untouched = await estate()
    const spelled = (id: string, slug: string) => [
      id,
      id.toUpperCase(),
      ` ${id}`,
      `${slug}-${id}`,
      `${id}/`,
      `${id}%00`,
      `../${id}`,
    ]
    const ids = fc.constantFrom(...[...theirs.values()].flatMap((id) => spelled(id, 'canary-shop')))
    const accounts = fc.constantFrom(
      undefined,
      'thieves',
      'victims',
      'VICTIMS',
      theirs.get('account'),
      'victims, thieves',
      '',
    )
    const inAccount = routes.filter(({ needs }) => !WITHOUT_ACCOUNT.has(needs))
    // What the thieves do with their own is theirs: only what names the victims' counts here.
    const tried = fc.record({
      route: fc.constantFrom(...inAccount),
      role: fc.constantFrom(...ROLES),
      id: ids,
      account: accounts,
    })
    await fc.assert(
      fc.asyncProperty(tried, async ({ route, ...how }) => {
        const isOwn = how.account === undefined || how.account === 'thieves'
        if (isOwn && route.method !== 'GET' && !naming().includes(route)) return
        const { status, text } = await call(route, how)
        if (!isOwn && !route.path.includes('{account}')) assert.equal(status, 404, text)
        if (status < 300 && text !== '') withoutMarks(text, `${how.role}: ${route.method} ${route.path}`)
        else assert.ok([400, 403, 404, 405].includes(status), `${status} ${text}`)
      }),
      { numRuns: 400 },
    )
    assert.equal(await estate(), untouched)
  })

  test('no list shows anything of it', async () => {
    for (const { method, path, needs } of routes) {
      if (method !== 'GET' || path.includes('{') || needs === 'nobody') continue
      for (const [role, caller] of callers) {
        for (const query of ['', '?limit=1000']) {
          const { status, text } = await caller('GET', path + query)
          if (status === 200) withoutMarks(text, `${role}: ${path}`)
          else assert.ok(status === 403 || query !== '', `${role}: ${path} answered ${status}`)
        }
      }
    }
  })

  test('a line of its log or audit is not found by what it says', async () => {
    const owner = callers.get('owner')
    assert.ok(owner)
    for (const path of [
      `/api/logs?requestId=${theirs.get('log line')}`,
      '/api/audit?action=token.created',
      '/api/audit?actor=admin_key',
    ]) {
      const { status, text } = await owner('GET', path)
      assert.equal(status, 200)
      withoutMarks(text, path)
    }
  })

  test('its tokens open no workspace of ours, and ours none of its, also when the store says that they do', async () => {
    const owner = callers.get('owner')
    assert.ok(owner)
    const made = await accepted(owner('POST', '/api/tokens', { description: 'x', workspaces: ['own'] }))
    const own = textAt(made.body, 'value')
    const status = async (url: string, token: string) => (await rpc(url, 'tools/list', { token })).status
    assert.deepEqual([await status(ownUrl, own), await status(victimUrl, victimToken)], [200, 200])
    assert.deepEqual([await status(victimUrl, own), await status(ownUrl, victimToken)], [401, 401])
    const id = textAt(made.body, 'id')
    const body = { workspace: theirs.get('workspace') }
    const across = await teams.admin('POST', `/api/tokens/${id}/workspaces`, body, { account: 'thieves' })
    assert.equal(across.status, 404, 'not even the operator mixes them')
    // The audience is checked too: that the store says so is not enough.
    await teams.gateway.running.stop()
    const database = new DatabaseSync(join(teams.gateway.folder, 'data', 'gatehouse.db'))
    database.prepare('insert into issued_workspaces values (?, ?, 0)').run(id, theirs.get('workspace') ?? '')
    database.close()
    await teams.gateway.restart()
    assert.deepEqual([await status(ownUrl, own), await status(victimUrl, own)], [200, 401])
  })

  test('the same slug may be taken here, so nobody feels for theirs', async () => {
    const owner = callers.get('owner')
    assert.ok(owner)
    const made = await owner('POST', '/api/workspaces', { name: 'CANARY Shop' })
    assert.equal(made.status, 201)
    assert.equal(textAt(made.body, 'slug'), 'canary-shop')
    await accepted(owner('DELETE', `/api/workspaces/${textAt(made.body, 'id')}`))
  })
})
