import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { randomSecret } from '../../src/crypto/random.ts'
import { accepted, PASSWORD, startTeams, type TeamGateway } from '../flows/accounts.ts'
import { type Answered, at, textAt } from '../flows/http.ts'

async function signInWithCookie({ stranger }: TeamGateway, email: string) {
  const { body, headers } = await accepted(
    stranger('POST', '/api/sign-in', { email, password: PASSWORD, cookie: true }),
  )
  const set = headers.get('set-cookie') ?? ''
  return { set, cookie: set.split(';')[0] ?? '', csrf: textAt(body, 'csrf'), token: at(body, 'token') }
}

suite('T18: the cookie of a sign-in', () => {
  test('is out of reach of scripts and other sites; over https it has its prefix and is Secure', async () => {
    for (const { publicUrl, expected } of [
      {
        publicUrl: undefined,
        expected: /^gatehouse=mgs_[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
      },
      {
        publicUrl: 'https://mcp.example',
        expected: /^__Host-gatehouse=mgs_[\w-]{43}; Path=\/; Max-Age=43200; Secure; HttpOnly; SameSite=Strict$/,
      },
    ]) {
      const auth = { authType: 'none' }
      await using teams = await startTeams(publicUrl === undefined ? {} : { config: { publicUrl, auth } })
      await teams.person('ada')
      const { set, token } = await signInWithCookie(teams, 'ada@example.com')
      assert.match(set, expected)
      assert.equal(token, null, 'the page itself never holds it')
    }
  })

  test('reads by itself, and changes only beside the proof that another site cannot know', async () => {
    await using teams = await startTeams()
    await teams.person('ada')
    const { cookie, csrf } = await signInWithCookie(teams, 'ada@example.com')
    const call = (method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<Answered> =>
      teams.stranger(method, path, body, { headers: { cookie, ...headers } })
    const me = await call('GET', '/api/me', {})
    assert.deepEqual([me.status, textAt(me.body, 'csrf')], [200, csrf])
    const make = (headers: Record<string, string>) => call('POST', '/api/workspaces', headers, { name: 'Shop' })
    for (const proof of [undefined, '', 'x', csrf.slice(1), `${csrf}x`]) {
      assert.equal((await make(proof === undefined ? {} : { 'x-gatehouse-csrf': proof })).status, 403, proof)
    }
    assert.equal((await call('DELETE', '/api/workspaces/shop', {})).status, 403)
    assert.equal((await call('POST', '/api/sign-out', {})).status, 403)
    assert.equal((await make({ 'x-gatehouse-csrf': csrf, origin: 'https://evil.example' })).status, 403)
    assert.equal((await make({ 'x-gatehouse-csrf': csrf })).status, 201)
    const out = await call('POST', '/api/sign-out', { 'x-gatehouse-csrf': csrf })
    assert.deepEqual([out.status, /^gatehouse=; .*Max-Age=0/.test(out.headers.get('set-cookie') ?? '')], [204, true])
    assert.equal((await call('GET', '/api/me', {})).status, 401)
  })

  test('of another sign-in has another proof; two cookies are none; a bearer beside it is the one that counts', async () => {
    await using teams = await startTeams()
    const ada = await teams.person('ada')
    const [one, two] = [await signInWithCookie(teams, ada.email), await signInWithCookie(teams, ada.email)]
    const status = async (headers: Record<string, string>, method = 'POST') =>
      (await teams.stranger(method, '/api/workspaces', method === 'GET' ? undefined : { name: 'x' }, { headers }))
        .status
    assert.equal(await status({ cookie: one.cookie, 'x-gatehouse-csrf': two.csrf }), 403)
    assert.equal(await status({ cookie: `${one.cookie}; ${two.cookie}` }, 'GET'), 401)
    assert.equal(await status({ cookie: one.cookie, authorization: 'Bearer wrong' }, 'GET'), 401)
    assert.equal(await status({ cookie: one.cookie, authorization: '' }, 'GET'), 401)
    assert.equal(await status({ cookie: `__Host-${one.cookie}` }, 'GET'), 401, 'another name')
    assert.equal(await status({ cookie: `a=b; ${one.cookie}; c="d"` }, 'GET'), 200)
    assert.equal(await status({ cookie: one.cookie, authorization: `Bearer ${ada.token}` }), 201)
  })

  test('is nothing to a workspace: it opens no MCP endpoint', async () => {
    await using teams = await startTeams()
    await teams.person('ada')
    const { cookie, csrf } = await signInWithCookie(teams, 'ada@example.com')
    const auth = { authType: 'jwt', jwt: [{ secret: randomSecret(48), audience: 'a' }] }
    const made = await accepted(teams.admin('POST', '/api/workspaces', { name: 'Shop', auth }))
    const path = new URL(textAt(made.body, 'url')).pathname
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const headers = { cookie, 'x-gatehouse-csrf': csrf }
    assert.equal((await teams.stranger('POST', path, body, { headers })).status, 401)
    const token = cookie.split('=')[1] ?? ''
    const bearer = { authorization: `Bearer ${token}` }
    assert.equal((await teams.stranger('POST', path, body, { headers: bearer })).status, 401)
  })

  test('is not set by a form of another site: signing in takes JSON', async () => {
    await using teams = await startTeams()
    await teams.person('ada')
    const headers = { 'content-type': 'text/plain' }
    const body = JSON.stringify({ email: 'ada@example.com', password: PASSWORD, cookie: true })
    const answer = await teams.stranger('POST', '/api/sign-in', body, { headers })
    assert.deepEqual([answer.status, answer.headers.get('set-cookie')], [415, null])
  })
})
