import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { z } from 'zod'
import { reportAnswer } from '../../src/api/doctor.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { seconds, startProvider } from './doctor-provider.ts'
import { assertNames, closedPort, secretsOf } from './doctor-stand.ts'
import { Folder } from './gatehouse-process.ts'
import { adminOf, send, textAt } from './http.ts'

const ask = async (gateway: TestGateway, body: unknown) => {
  const answered = await adminOf(gateway.url, gateway.adminKey)('POST', '/api/doctor', body)
  assert.equal(answered.status, 200, answered.text)
  return reportAnswer.parse(answered.body)
}
const findings = (report: z.output<typeof reportAnswer>) => report.checks.map(({ finding }) => finding).join('\n')

suite('POST /api/doctor', () => {
  test('is for the holder of the admin key, and wants a workspace or a URL', async () => {
    await using gateway = await startGateway()
    const body = { url: `${gateway.url}/mcp` }
    assert.equal((await send('POST', `${gateway.url}/api/doctor`, { body })).status, 401)
    const call = adminOf(gateway.url, gateway.adminKey)
    assert.equal((await call('POST', '/api/doctor', {})).status, 400)
    assert.equal((await call('POST', '/api/doctor', { workspace: 'nobody' })).status, 404)
  })

  test('names what is wrong with a token, and shows the operator what is expected', async () => {
    await using gateway = await startGateway()
    const callers = testCallers({ requiredScopes: ['mcp:call'], clockToleranceSeconds: 7 })
    const other = testCallers()
    await gateway.makeWorkspace({ name: 'Shop', auth: callers.auth })
    const now = seconds(0)
    const cases = [
      { cause: 'audience_wrong', token: await callers.token({ aud: 'another' }), shows: callers.audience },
      { cause: 'issuer_wrong', token: await callers.token({ iss: 'https://id.example' }), shows: callers.issuer },
      { cause: 'issuer_slash', token: await callers.token({ iss: `${callers.issuer}/` }), shows: callers.issuer },
      { cause: 'signature_wrong', token: await other.token(), shows: 'the shared secret' },
      { cause: 'token_expired', token: await callers.token({ exp: now - 60 }), shows: '7 s of leeway' },
      { cause: 'token_not_yet_valid', token: await callers.token({ nbf: now + 60 }), shows: '7 s of leeway' },
      { cause: 'subject_missing', token: await callers.token({ sub: undefined }), shows: 'user id' },
      { cause: 'id_token', token: await callers.token({ typ: 'ID' }), shows: 'ID token' },
      { cause: 'scope_missing', token: await callers.token({ scope: 'mcp:list' }), shows: 'mcp:call' },
      { cause: 'token_opaque', token: 'an-opaque-token-of-somebody', shows: 'not a JWT' },
      { cause: 'ok', token: await callers.token({ scope: 'mcp:call' }), shows: 'accepts this token' },
    ]
    for (const { cause, token, shows } of cases) {
      const report = await ask(gateway, { workspace: 'shop', token })
      assertNames(report, cause, [...secretsOf(token), callers.secret, other.secret])
      assert.ok(findings(report).includes(shows), `${shows} is not in ${findings(report)}`)
    }
    assert.doesNotMatch(gateway.log.join(''), /eyJ/)
  })

  test('knows what the gateway issued itself', async () => {
    await using gateway = await startGateway()
    await gateway.makeWorkspace({ name: 'Shop', auth: testCallers().auth })
    await gateway.makeWorkspace({ name: 'Other', auth: testCallers().auth })
    const admin = adminOf(gateway.url, gateway.adminKey)
    const issue = async (noun: 'tokens' | 'keys') => {
      const body = { ...(noun === 'keys' ? { name: 'x' } : { description: 'x' }), workspaces: ['shop'] }
      const issued = (await admin('POST', `/api/${noun}`, body)).body
      return { id: textAt(issued, 'id'), value: textAt(issued, 'value') }
    }
    for (const noun of ['tokens', 'keys'] as const) {
      const { id, value: token } = await issue(noun)
      const inside = async (workspace: string, cause: string) =>
        assertNames(await ask(gateway, { workspace, token }), cause, secretsOf(token))
      await inside('shop', 'ok')
      await inside('other', 'token_not_associated')
      const url = textAt((await admin('GET', '/api/workspaces/other')).body, 'url')
      const outside = await ask(gateway, { url, token })
      assertNames(outside, noun === 'keys' ? 'token_not_associated' : 'audience_other_workspace', secretsOf(token))
      assert.ok(outside.checks.every(({ cause }) => cause !== 'issuer_wrong'))
      assert.equal((await admin('POST', `/api/${noun}/${id}/revoke`)).status, 200)
      await inside('shop', 'token_revoked')
      // As a shell writes it to a file.
      const written = await ask(gateway, { workspace: 'shop', token: `${token}\n` })
      assertNames(written, 'token_revoked', secretsOf(token))
      assert.equal(written.checks.at(-1)?.cause, 'token_has_line_break')
    }
    const token = 'mcp_sk_not-a-key-of-this-gateway-0123456789'
    assertNames(await ask(gateway, { workspace: 'shop', token }), 'api_key_refused', [token])
  })

  test('asks the provider whose key set the workspace trusts', async () => {
    await using provider = await startProvider()
    await using gateway = await startGateway()
    const jwt = { jwksUrl: `${provider.url}/jwks`, issuer: provider.url, audience: 'https://shop.example' }
    await gateway.makeWorkspace({ name: 'Shop', auth: { authType: 'jwt', jwt } })
    const cases = [
      { cause: 'key_id_unknown', token: await provider.sign({ aud: 'https://shop.example' }, { kid: 'another' }) },
      { cause: 'key_id_absent', token: await provider.sign({ aud: 'https://shop.example' }, { kid: undefined }) },
      { cause: 'algorithm_hmac', token: await testCallers().token({ iss: provider.url }) },
      { cause: 'ok', token: await provider.grant('https://shop.example') },
    ]
    for (const { cause, token } of cases) {
      assertNames(await ask(gateway, { workspace: 'shop', token }), cause, secretsOf(token))
    }
    const keys = [
      { cause: 'keys_unusable', answer: '{"keys":[{"kty":"oct","k":"a-symmetric-key-0123456789"}]}' },
      { cause: 'keys_unreachable', answer: '<html>' },
    ]
    for (const { cause, answer } of keys) {
      provider.fault = (path) => (path === '/jwks' ? (_asked, response) => void response.end(answer) : undefined)
      assertNames(await ask(gateway, { workspace: 'shop' }), cause, ['0123456789'])
    }
  })

  test('names settings that do not fit each other or the client', async () => {
    const publicUrl = 'https://gateway.example'
    const flags = { publicUrl }
    const auth = testCallers().auth
    await using plain = await startGateway()
    const { endpoint, workspace } = await plain.makeWorkspace({ name: 'Shop', auth })
    const path = new URL(endpoint).pathname
    assertNames(await ask(plain, { workspace: workspace.id, url: `https://mcp.example${path}` }), 'public_url_missing')
    await plain.makeWorkspace({ name: 'Open', auth: { authType: 'none' } })
    assertNames(await ask(plain, { workspace: 'open', token: await testCallers().token() }), 'token_not_checked')
    const issuer = 'http://id.example'
    await plain.makeWorkspace({ name: 'Http', auth: testCallers({ issuer }).auth })
    assertNames(await ask(plain, { workspace: 'http' }), 'settings_issuer_over_http')

    await using named = await startGateway({ flags, config: { auth, failedAuth: {}, allowedHosts: ['mcp.example'] } })
    await named.makeWorkspace({ name: 'Shop' })
    assertNames(await ask(named, { workspace: 'shop' }), 'limits_behind_proxy')
    const failedAuth = { failedAuth: {}, trustProxy: ['loopback'] }
    await using trusting = await startGateway({ flags, config: { auth, ...failedAuth, allowedHosts: ['mcp.example'] } })
    await trusting.makeWorkspace({ name: 'Shop' })
    assert.doesNotMatch(JSON.stringify(await ask(trusting, { workspace: 'shop' })), /limits_behind_proxy/)
    const asked = (url: string) => ask(named, { workspace: 'shop', url })
    assertNames(await asked('https://mcp.example/shop'), 'public_url_differs')
    assertNames(await asked('https://unknown.example/shop'), 'host_refused')
    await using open = await startGateway({ flags: { publicUrl: 'http://gateway.example' }, config: { auth } })
    await open.makeWorkspace({ name: 'Shop' })
    assertNames(await ask(open, { workspace: 'shop' }), 'public_url_over_http')
  })
})

suite('gatehouse doctor', () => {
  test('ends with 0 when nothing is wrong and with 1 when something is, and prints neither token nor colour', async () => {
    await using folder = await Folder.make()
    await using gateway = await startGateway()
    // Without an issuer no authorization server is named, which would have to be there.
    const callers = testCallers({ issuer: undefined })
    const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', auth: callers.auth })
    const token = await callers.token()
    const expired = await callers.token({ exp: seconds(-60) })
    await folder.write('good', token)
    await folder.write('expired', expired)

    const well = await folder.run(['doctor', endpoint, '--token', '@good'])
    assert.deepEqual([well.code, well.stderr], [0, ''], well.stdout)
    assert.match(well.stdout, /^ok {2}answer +The token is accepted\.$/m)
    const ill = await folder.run(['doctor', endpoint, '--token', '@expired'])
    assert.equal(ill.code, 1)
    assert.match(ill.stdout, /^NO {2}times +The token has expired/m)
    assert.match(ill.stdout, /^ +token_expired: Get a new one/m)
    assert.match(ill.stdout, /To mend first: token_expired\n$/)
    const json = await folder.run(['doctor', endpoint, '--token', '@expired', '--json'])
    assert.equal(json.code, 1)
    assertNames(reportAnswer.parse(JSON.parse(json.stdout)), 'token_expired')

    const inside = ['doctor', '--workspace', 'shop', '--gateway', gateway.url, '--keys-dir', `${gateway.folder}/keys`]
    const asked = await folder.run([...inside, '--token', '@expired'])
    assert.equal(asked.code, 1, asked.stderr)
    assert.match(asked.stdout, /To mend first: token_expired/)
    const hidden = [...secretsOf(token), ...secretsOf(expired), callers.secret, gateway.adminKey, '\u001b']
    for (const { stdout, stderr } of [well, ill, json, asked]) {
      for (const secret of hidden) assert.ok(!(stdout + stderr).includes(secret), stdout)
    }
  })

  test('takes no token from the command line, and says what it takes', async () => {
    await using folder = await Folder.make()
    const given = await folder.run(['doctor', 'http://127.0.0.1:1/mcp', '--token', 'eyJ0.on.commandline'])
    assert.equal(given.code, 1)
    assert.match(given.stderr, /--token @FILE/)
    assert.doesNotMatch(given.stderr, /commandline/)
    assert.match((await folder.run(['doctor'])).stderr, /takes the URL/)
    assert.match((await folder.run(['doctor', 'http://127.0.0.1:1/', '--token', '@none'])).stderr, /cannot be read/)
    const refused = await folder.run(['doctor', await closedPort()])
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /connection_refused: Start the gateway/)
  })
})
