import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { suite, test } from 'node:test'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { workspaceSettings } from '../../src/workspaces/settings.ts'
import { accepted, callerWith, PASSWORD, signIn, startTeams } from './accounts.ts'
import { at, rpc, textAt } from './http.ts'

function slugsOf(body: unknown): readonly unknown[] {
  return [body].flat().map((one) => at(one, 'slug'))
}

suite('accounts', () => {
  test('are made, listed, renamed and deleted when they are empty; the default one stays (G8)', async () => {
    await using teams = await startTeams()
    const { admin } = teams
    const acme = await teams.account('acme')
    assert.equal((await admin('POST', '/api/accounts', { name: 'Acme' })).status, 409)
    assert.equal((await admin('POST', '/api/accounts', { name: 'x', slug: 'Not A Slug' })).status, 400)
    assert.deepEqual(slugsOf((await admin('GET', '/api/accounts')).body), ['default', 'acme'])
    const eve = await teams.person('eve', { account: 'acme' })
    const renamed = await accepted(eve.call('PATCH', '/api/accounts/acme', { name: 'Acme Ltd' }))
    assert.deepEqual([textAt(renamed.body, 'slug'), textAt(renamed.body, 'name')], ['acme', 'Acme Ltd'])
    const made = await accepted(eve.call('POST', '/api/workspaces', { name: 'Shop' }))
    assert.equal((await eve.call('DELETE', '/api/accounts/acme')).status, 409)
    await accepted(eve.call('DELETE', `/api/workspaces/${textAt(made.body, 'id')}`))
    const token = await accepted(eve.call('POST', '/api/tokens', { description: 'x', expires: '1h' }))
    assert.equal((await eve.call('DELETE', '/api/accounts/acme')).status, 409)
    await accepted(eve.call('POST', `/api/tokens/${textAt(token.body, 'id')}/revoke`))
    const bob = await teams.person('bob', { account: 'acme', role: 'viewer' })
    assert.equal((await eve.call('DELETE', '/api/accounts/acme')).status, 409, 'its people are removed first')
    await accepted(eve.call('DELETE', `/api/people/${bob.id}`))
    assert.equal((await eve.call('DELETE', '/api/accounts/acme')).status, 204)
    // Nor does anything come after: what was on its way when the account went finds none.
    const { manager } = teams.gateway.running.gateway
    const late = manager.of(acme).create(workspaceSettings.parse({ name: 'Late' }), { keptBy: 'api', reach: 'person' })
    await assert.rejects(late, /no such account/)
    assert.equal((await eve.call('GET', '/api/me')).status, 401)
    assert.deepEqual(slugsOf((await admin('GET', '/api/accounts')).body), ['default'])
    assert.equal((await admin('DELETE', '/api/accounts/default')).status, 409)
  })

  test('are named by the header; the only one of a person, and the default one of the admin key, need no name', async () => {
    await using teams = await startTeams()
    const { admin } = teams
    const acme = await teams.account('acme')
    await accepted(admin('POST', '/api/workspaces', { name: 'Ours' }))
    await accepted(admin('POST', '/api/workspaces', { name: 'Theirs' }, { account: 'acme' }))
    assert.deepEqual(slugsOf((await admin('GET', '/api/workspaces')).body), ['ours'])
    for (const account of ['acme', acme]) {
      assert.deepEqual(slugsOf((await admin('GET', '/api/workspaces', undefined, { account })).body), ['theirs'])
    }
    assert.equal((await admin('GET', '/api/workspaces', undefined, { account: 'nothing' })).status, 404)
    const ada = await teams.person('ada', { role: 'viewer' })
    assert.deepEqual(slugsOf((await ada.call('GET', '/api/workspaces')).body), ['ours'])
    // Ada is invited to the second: by the code, and by being Ada.
    const invited = await accepted(
      admin('POST', '/api/invitations', { email: ada.email, role: 'owner' }, { account: 'acme' }),
    )
    const code = textAt(invited.body, 'code')
    const wrong = { code, password: 'somebody else’s password' }
    assert.equal((await teams.stranger('POST', '/api/invitations/accept', wrong)).status, 401)
    await accepted(teams.stranger('POST', '/api/invitations/accept', { code, password: PASSWORD }))
    const several = await ada.call('GET', '/api/workspaces')
    assert.equal(several.status, 400)
    assert.match(textAt(several.body, 'detail'), /X-Gatehouse-Account \(default, acme\)/)
    const theirs = await ada.call('GET', '/api/workspaces', undefined, { account: 'acme' })
    assert.deepEqual(slugsOf(theirs.body), ['theirs'])
    // A role is worth something in its own account alone.
    assert.equal((await ada.call('POST', '/api/workspaces', { name: 'x' }, { account: 'acme' })).status, 201)
    assert.equal((await ada.call('POST', '/api/workspaces', { name: 'x' }, { account: 'default' })).status, 403)
    const me = await ada.call('GET', '/api/me')
    const roles = [at(me.body, 'accounts')].flat().map((one) => [at(one, 'slug'), at(one, 'role')])
    assert.deepEqual(roles, [
      ['default', 'viewer'],
      ['acme', 'owner'],
    ])
  })

  test('each have slugs, tokens, logs and an audit of their own', async () => {
    const api = await startTestApi({ mode: 'none' })
    await using teams = await startTeams()
    const { admin } = teams
    const url = `${api.origin}/openapi.json`
    const acme = await teams.account('acme')
    const make = async (account: string) => {
      const body = { name: 'Shop', source: { url } }
      return textAt((await accepted(admin('POST', '/api/workspaces', body, { account }))).body, 'url')
    }
    const [ours, theirs] = [await make('default'), await make('acme')]
    const ada = await teams.person('ada')
    const eve = await teams.person('eve', { account: 'acme' })
    const issue = async (call: typeof admin) => {
      const body = { description: 'x', expires: '1h', workspaces: ['shop'] }
      return textAt((await accepted(call('POST', '/api/tokens', body))).body, 'value')
    }
    const [our, their] = [await issue(ada.call), await issue(eve.call)]
    const status = async (endpoint: string, token: string) => (await rpc(endpoint, 'tools/list', { token })).status
    assert.deepEqual([await status(ours, our), await status(theirs, their)], [200, 200])
    assert.deepEqual([await status(ours, their), await status(theirs, our)], [401, 401])
    const claims: unknown = JSON.parse(Buffer.from(their.split('.')[1] ?? '', 'base64url').toString())
    assert.equal(textAt(claims, 'aud'), `${teams.gateway.url}/accounts/${acme}`)
    const count = async (call: typeof admin, path: string) =>
      [at((await call('GET', path)).body, 'lines')].flat().length
    assert.deepEqual([await count(ada.call, '/api/logs'), await count(eve.call, '/api/logs')], [2, 2])
    assert.equal(await count(admin, '/api/logs'), 4, 'whoever holds the admin key sees all')
    assert.equal(await count(admin, '/api/logs?workspace=shop'), 2)
    const denied = async (call: typeof admin) => count(call, '/api/audit?action=access.denied')
    assert.deepEqual([await denied(ada.call), await denied(eve.call)], [1, 1])
    assert.ok(
      (await count(admin, '/api/audit')) >
        (await count(ada.call, '/api/audit')) + (await count(eve.call, '/api/audit')) - 1,
    )
    // Also after the workspace and a restart.
    await accepted(eve.call('DELETE', '/api/workspaces/shop'))
    await teams.gateway.restart()
    assert.equal(await count(eve.call, '/api/logs'), 2)
    assert.equal(await status(ours, our), 200)
    assert.match((await admin('GET', '/api/audit/verify')).text, /"ok":true/)
    await api.stop()
  })

  test('what a person configures reaches public addresses only, and the operator’s own is not theirs to redirect', async () => {
    const api = await startTestApi({ mode: 'none' })
    await using teams = await startTeams()
    const ada = await teams.person('ada')
    const url = `${api.origin}/openapi.json`
    const source = { url }
    const refused = await ada.call('POST', '/api/workspaces', { name: 'Inside', source })
    assert.deepEqual([refused.status, at(refused.body, 'code')], [422, 'egress_refused'])
    await accepted(teams.admin('POST', '/api/workspaces', { name: 'Shop', source }))
    for (const body of [{ upstream: { baseUrl: 'http://127.0.0.1:1' } }, { params: { a: 'b' } }, { auth: null }]) {
      assert.equal((await ada.call('PATCH', '/api/workspaces/shop', body)).status, 403, JSON.stringify(body))
    }
    assert.equal((await ada.call('POST', '/api/workspaces/shop/import', source)).status, 403)
    assert.equal((await ada.call('PATCH', '/api/workspaces/shop', { name: 'Shop 2' })).status, 200)
    assert.equal((await ada.call('POST', '/api/workspaces/shop/import')).status, 200)
    const asked = await ada.call('POST', '/api/doctor', { url: `${api.origin}/mcp` })
    assert.equal(asked.status, 200)
    assert.doesNotMatch(JSON.stringify(asked.body), /answered 2\d\d/)
    await api.stop()
  })

  test('a private host that the operator has listed is theirs to name, and its neighbour is not', async () => {
    const [listed, other] = await Promise.all([startTestApi({ mode: 'none' }), startTestApi({ mode: 'none' })])
    await using teams = await startTeams({ config: { privateHosts: [new URL(listed.origin).host] } })
    const ada = await teams.person('ada')
    const made = (name: string, origin: string) =>
      ada.call('POST', '/api/workspaces', { name, source: { url: `${origin}/openapi.json` } })
    assert.equal((await made('Inside', listed.origin)).status, 201)
    const refused = await made('Beside', other.origin)
    assert.deepEqual([refused.status, at(refused.body, 'code')], [422, 'egress_refused'])
    await Promise.all([listed.stop(), other.stop()])
  })

  test('wait for nobody’s key set: a change is made while it has not answered, and so is everybody else’s (T29)', async () => {
    // Takes connections, and never says a word of TLS.
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const held: Socket[] = []
    silent.on('connection', (socket) => held.push(socket))
    const host = `127.0.0.1:${at(silent.address(), 'port')}`
    await using teams = await startTeams({ config: { privateHosts: [host] } })
    await teams.account('acme')
    const [eve, ada] = [await teams.person('eve', { account: 'acme' }), await teams.person('ada')]
    for (const { call } of [eve, ada]) await accepted(call('POST', '/api/workspaces', { name: 'Shop' }))
    const jwt = { jwksUrl: `https://${host}/keys`, issuer: 'https://id.example', audience: 'shop' }
    const asked = once(silent, 'connection')
    await accepted(eve.call('PATCH', '/api/workspaces/shop', { auth: { authType: 'jwt', jwt } }))
    await asked
    await accepted(ada.call('PATCH', '/api/workspaces/shop', { name: 'Ours' }))
    await accepted(ada.call('POST', '/api/tokens', { description: 'x', workspaces: ['shop'] }))
    assert.ok(held.length > 0 && held.every(({ destroyed }) => !destroyed), 'it is still being waited for')
    silent.close()
    for (const socket of held) socket.destroy()
  })

  test('do not add up at a start: key sets that never answer are waited for together (T29)', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const host = `127.0.0.1:${at(silent.address(), 'port')}`
    // Refused at once until the restart, so that making them takes no time.
    const refuse = (socket: Socket) => socket.destroy()
    silent.on('connection', refuse)
    await using teams = await startTeams({ config: { privateHosts: [host] } })
    const ada = await teams.person('ada')
    for (const name of ['one', 'two', 'three', 'four']) {
      const jwt = { jwksUrl: `https://${host}/${name}`, issuer: 'https://id.example', audience: name }
      await accepted(ada.call('POST', '/api/workspaces', { name, auth: { authType: 'jwt', jwt } }))
    }
    silent.off('connection', refuse)
    const waiting: Socket[] = []
    const all = new Promise<void>((resolve) => {
      // Read, so that it is seen when the other side gives up.
      silent.on('connection', (socket) => {
        if (waiting.push(socket.resume()) === 4) resolve()
      })
    })
    const restarted = teams.gateway.restart()
    // All four are asked before any of them has had its five seconds.
    await all
    assert.ok(waiting.every((socket) => !socket.destroyed))
    for (const socket of waiting) socket.destroy()
    await restarted
    silent.close()
    assert.equal((await ada.call('GET', '/api/workspaces')).status, 200)
  })

  test('a developer makes workspaces, and opens no doors', async () => {
    await using teams = await startTeams()
    await teams.person('ada')
    const dan = await teams.person('dan', { role: 'developer' })
    const open = { auth: { authType: 'none' } }
    for (const body of [open, { access: { publicTools: ['a'] } }, { rateLimiting: { maxRequests: 1 } }]) {
      assert.equal(
        (await dan.call('POST', '/api/workspaces', { name: 'Shop', ...body })).status,
        403,
        JSON.stringify(body),
      )
    }
    await accepted(dan.call('POST', '/api/workspaces', { name: 'Shop' }))
    assert.equal((await dan.call('PATCH', '/api/workspaces/shop', open)).status, 403)
    assert.equal((await dan.call('PATCH', '/api/workspaces/shop', { tools: 'all' })).status, 200)
    const amy = await teams.person('amy', { role: 'admin' })
    assert.equal((await amy.call('PATCH', '/api/workspaces/shop', open)).status, 200)
    assert.equal(
      (await callerWith(teams.gateway.url, `Bearer ${await signIn(teams.stranger, amy.email)}`)('GET', '/api/audit'))
        .status,
      200,
    )
  })

  test('a developer issues no credential that makes an administrator (C14)', async () => {
    await using teams = await startTeams()
    const { admin } = teams
    const dan = await teams.person('dan', { role: 'developer' })
    const amy = await teams.person('amy', { role: 'admin' })
    await accepted(admin('POST', '/api/workspaces', { name: 'Shop' }))
    const limits = { rateLimiting: { adminScope: 'limits:none' }, access: { adminScope: 'boss' } }
    await accepted(admin('POST', '/api/workspaces', { name: 'Bank', ...limits }))
    const wanted = (scope: string, workspaces: readonly string[]) => ({ scopes: ['mcp', scope], workspaces })
    const routes = [
      ['/api/tokens', { description: 'x' }],
      ['/api/keys', { name: 'x' }],
      ['/api/sessions', { subject: 'user-17' }],
    ] as const
    for (const [path, body] of routes) {
      for (const [scope, workspaces, isRefused] of [
        ['admin', ['shop'], true],
        ['admin', ['bank'], false],
        ['admin', ['bank', 'shop'], true],
        ['boss', ['bank'], true],
        ['limits:none', ['bank'], true],
      ] as const) {
        const asked = { ...body, ...wanted(scope, workspaces) }
        assert.equal((await dan.call('POST', path, asked)).status, isRefused ? 403 : 201, JSON.stringify(asked))
      }
      await accepted(amy.call('POST', path, { ...body, ...wanted('admin', ['shop']) }))
    }
    // Nor by the way round: first the scope, where it means nothing, and then the workspace.
    const made = await accepted(dan.call('POST', '/api/tokens', { description: 'x', ...wanted('admin', []) }))
    const path = `/api/tokens/${textAt(made.body, 'id')}/workspaces`
    const refused = await dan.call('POST', path, { workspace: 'shop' })
    assert.equal(refused.status, 403)
    assert.match(textAt(refused.body, 'detail'), /scope admin .* role admin .* yours is developer/)
    await accepted(dan.call('POST', path, { workspace: 'bank' }))
    await accepted(amy.call('POST', path, { workspace: 'shop' }))
  })

  test('no credential is issued in the name of a person, or of another credential (G7, H1)', async () => {
    await using teams = await startTeams()
    const ada = await teams.person('ada')
    const dan = await teams.person('dan', { role: 'developer' })
    await accepted(ada.call('POST', '/api/workspaces', { name: 'Shop' }))
    const made = await accepted(ada.call('POST', '/api/tokens', { description: 'x' }))
    for (const subject of [ada.id, dan.id, textAt(made.body, 'subject'), 'key:aaaa', 'fed_0123', ` ${ada.id} `]) {
      for (const [path, body] of [
        ['/api/tokens', { description: 'x' }],
        ['/api/keys', { name: 'x' }],
        ['/api/sessions', { workspaces: ['shop'] }],
      ] as const) {
        const refused = await dan.call('POST', path, { ...body, subject })
        assert.equal(refused.status, 400, refused.text)
        assert.match(
          textAt(refused.body, 'detail'),
          /^subject: \S+ is somebody who signs in here, or another credential\./,
        )
      }
    }
    const own = await accepted(dan.call('POST', '/api/sessions', { subject: 'user-17', workspaces: ['shop'] }))
    assert.equal(at(own.body, 'subject'), 'user-17')
  })
})
