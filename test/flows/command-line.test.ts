import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { z } from 'zod'
import { openapiDocument } from '../../src/test-api/document.ts'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { type Ended, Folder, type Started } from './gatehouse-process.ts'
import { at, callTool, rpc, textAt, toolNames } from './http.ts'

suite('the command line, from an API behind a login to a workspace and back', () => {
  const callers = testCallers()
  let folder: Folder
  let api: TestApi
  let gateway: Started

  before(async () => {
    folder = await Folder.make()
    api = await startTestApi({ mode: 'jwt' })
    gateway = await folder.start()
    await folder.write('password.txt', 'password\n')
    await folder.write('jwt.txt', `${callers.secret}\n`)
  })
  after(async () => {
    await gateway[Symbol.asyncDispose]()
    await api.stop()
    await folder[Symbol.asyncDispose]()
  })

  const gatehouse = (...args: readonly string[]): Promise<Ended> => folder.run([...args, '--gateway', gateway.url])
  /** What a command prints with `--json`; it must end well and say nothing else. */
  const json = async (...args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await gatehouse(...args, '--json')
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout)
    return JSON.parse(stdout)
  }

  test('lists nothing before there is a workspace', async () => {
    const { code, stdout } = await gatehouse('workspace', 'list')
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'No workspaces.\n' })
  })

  let endpoint = ''
  test('makes a workspace from a URL, a login and a secret in one command', async () => {
    const login = ['--login-url', `${api.origin}/auth/login`, '--username', 'admin', '--password', '@password.txt']
    const verifier = ['--jwt-secret', '@jwt.txt', '--issuer', callers.issuer, '--audience', callers.audience]
    const { code, stdout, stderr } = await gatehouse(
      ...['workspace', 'create', '--name', 'My Shop', '--spec', `${api.origin}/openapi.json`, '--tools', 'all'],
      ...[...login, ...verifier],
    )
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    endpoint = /MCP URL +(\S+)/.exec(stdout)?.[1] ?? ''
    assert.ok(endpoint.startsWith(`${gateway.url}/my-shop-`), stdout)
    assert.match(stdout, /callers +need a JWT/)
    assert.match(stdout, /params +login_url, username, password \(saved\)/)
    for (const tool of ['listItems', 'createItem', 'deleteItem', 'listUsers', 'getStats']) {
      assert.match(stdout, new RegExp(`on +${tool} +[A-Z]+ +/api/`))
    }
    assert.ok(!stdout.includes(callers.secret))
    const stats = await callTool(endpoint, 'getStats', { token: await callers.token() })
    assert.match(stats.text, /"requestedBy":"admin"/)
    assert.equal((await rpc(endpoint, 'tools/list')).status, 401)
  })

  test('lists and shows it, as a table and as JSON', async () => {
    const listed = await gatehouse('workspace', 'list')
    assert.match(listed.stdout, new RegExp(`^SLUG +NAME +URL\nmy-shop +My Shop +${endpoint}\n$`))
    const shown = await json('workspace', 'show', 'my-shop')
    assert.equal(textAt(shown, 'url'), endpoint)
    assert.deepEqual(at(shown, 'params', 'password'), { saved: true })
    assert.equal(textAt(await json('workspace', 'show', textAt(shown, 'id')), 'slug'), 'my-shop')
    assert.deepEqual(at(await json('workspace', 'list'), 0), shown)
  })

  test('says who may call which tool, and leaves what is not mentioned', async () => {
    const verifier = ['--jwt-secret', '@jwt.txt', '--issuer', callers.issuer, '--audience', callers.audience]
    const { stdout } = await gatehouse(
      ...['workspace', 'create', '--name', 'Permits', '--spec', `${api.origin}/openapi.json`, '--tools', 'all'],
      ...[...verifier, '--public-tools', 'listItems', '--tool-scopes', 'getStats=stats, read'],
    )
    const endpoint = /MCP URL +(\S+)/.exec(stdout)?.[1] ?? ''
    assert.match(stdout, /public +listItems/)
    assert.deepEqual(await toolNames(endpoint), ['listItems'])
    assert.equal((await rpc(endpoint, 'tools/call', { params: { name: 'getStats' } })).status, 401)
    const set = ['workspace', 'set', 'permits']
    const changed = await json(...set, '--admin-tools', 'deleteItem', '--public-tools', 'default')
    assert.equal(at(changed, 'access', 'publicTools'), 'default')
    assert.deepEqual(at(changed, 'access', 'toolScopes'), { getStats: { allOf: ['stats', 'read'], anyOf: [] } })
    const token = await callers.token({ scope: 'read' })
    assert.deepEqual([...(await toolNames(endpoint, token))].sort(), ['createItem', 'listItems', 'listUsers'])
    const refused = await gatehouse(...set, '--tool-scopes', 'getStats')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /--tool-scopes takes name=scope,scope/)
    assert.match((await gatehouse(...set, '--public-tools', '')).stdout, /public +-/)
    assert.equal((await rpc(endpoint, 'tools/list')).status, 401)
    for (const more of [[], ['--jwt-secret', '@jwt.txt', '--issuer', callers.issuer, '--audience', callers.audience]]) {
      const open = await gatehouse(...set, '--required-scopes', '', ...more)
      assert.equal(open.code, 1, open.stdout)
    }
    const keyless = await gatehouse(...set, '--required-scopes', 'admin')
    assert.equal(keyless.code, 1)
    assert.match(keyless.stderr, /auth\.jwt: give exactly one of secret, publicKey, jwksUrl/)
    assert.deepEqual(await json('workspace', 'delete', 'permits'), { deleted: 'permits' })
  })

  test('says of each way in who comes in by it', async () => {
    await using other = await Folder.make()
    const workspaces = ['none', 'oauth', 'both'].map((authType) => ({
      ...{ name: authType, auth: { authType, jwt: authType === 'both' ? callers.auth.jwt : [] } },
    }))
    await other.write('gatehouse.yaml', JSON.stringify({ workspaces }))
    await using gateway = await other.start()
    const words = { none: 'everybody may call', oauth: 'sign in', both: 'sign in, or need a JWT' }
    for (const [name, says] of Object.entries(words)) {
      const { stdout } = await other.run(['workspace', 'show', name, '--gateway', gateway.url])
      assert.match(stdout, new RegExp(`^callers +${says}$`, 'm'))
    }
  })

  test('tells of a name that no tool has: what it should close stays open', async () => {
    const { code, stdout } = await gatehouse(
      ...[
        'workspace',
        'create',
        '--name',
        'Typo',
        '--spec',
        `${api.origin}/openapi.json`,
        '--tools',
        'getStats,getStat',
      ],
      ...['--jwt-secret', '@jwt.txt', '--issuer', callers.issuer, '--tool-scopes', 'getStatistics=stats'],
    )
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^warning: there is no tool getStat\.\nwarning: access names getStatistics, and there is no such/m,
    )
    assert.deepEqual(at(await json('workspace', 'tools', 'typo'), 'warnings', 0), 'there is no tool getStat.')
    const mended = await gatehouse('workspace', 'tools', 'typo', '--on', 'getStats')
    assert.doesNotMatch(mended.stdout, /no tool getStat\./)
    await gatehouse('workspace', 'delete', 'typo')
  })

  test('switches tools off and on', async () => {
    const token = await callers.token()
    const off = await gatehouse('workspace', 'tools', 'my-shop', '--off', 'deleteItem, createItem')
    assert.match(off.stdout, /off +deleteItem/)
    assert.match(off.stdout, /on +listItems/)
    assert.deepEqual([...(await toolNames(endpoint, token))].sort(), ['getStats', 'listItems', 'listUsers'])
    const on = await json('workspace', 'tools', 'my-shop', '--on', 'createItem')
    const enabled = z.object({ tools: z.array(z.object({ name: z.string(), enabled: z.boolean() })) }).parse(on)
    assert.deepEqual(
      enabled.tools.filter((tool) => !tool.enabled).map(({ name }) => name),
      ['deleteItem'],
    )
    const unknown = await gatehouse('workspace', 'tools', 'my-shop', '--on', 'noSuchTool')
    assert.deepEqual(
      { code: unknown.code, stderr: unknown.stderr },
      { code: 1, stderr: 'There is no tool noSuchTool.\n' },
    )
  })

  test('tells what an import has added, changed and removed, and keeps what was switched off', async () => {
    const document: unknown = openapiDocument({ origin: api.origin, mode: 'jwt' })
    const described = z.looseObject({ paths: z.record(z.string(), z.looseObject({})) }).parse(document)
    const { '/api/users': users, '/api/stats': stats, ...paths } = described.paths
    const changed = { ...stats, get: { operationId: 'getStats', summary: 'Show the numbers', responses: {} } }
    const added = { get: { operationId: 'getHealth', summary: 'Say whether it works', responses: {} } }
    assert.ok(users)
    await folder.write(
      'new.json',
      JSON.stringify({ ...described, paths: { ...paths, '/api/stats': changed, '/health': added } }),
    )
    const imported = await gatehouse('workspace', 'import', 'my-shop', 'new.json')
    assert.deepEqual(
      { code: imported.code, stdout: imported.stdout },
      { code: 0, stdout: 'added: getHealth\nchanged: getStats\nremoved: listUsers\n' },
    )
    assert.ok(!(await toolNames(endpoint, await callers.token())).includes('deleteItem'))
    const again = await gatehouse('workspace', 'import', 'my-shop', `${api.origin}/openapi.json`)
    assert.equal(again.stdout, 'added: listUsers\nchanged: getStats\nremoved: getHealth\n')
    const same = await gatehouse('workspace', 'import', 'my-shop')
    assert.deepEqual({ code: same.code, stdout: same.stdout }, { code: 0, stdout: 'Nothing has changed.\n' })
  })

  test('changes one setting and leaves the others', async () => {
    const before = await json('workspace', 'show', 'my-shop')
    const { code } = await gatehouse('workspace', 'set', 'my-shop', '--name', 'Your Shop', '--base-url', api.origin)
    assert.equal(code, 0)
    const shown = await json('workspace', 'show', 'my-shop')
    assert.equal(textAt(shown, 'name'), 'Your Shop')
    assert.equal(textAt(shown, 'url'), endpoint)
    assert.deepEqual(at(shown, 'upstream', 'auth'), at(before, 'upstream', 'auth'))
    assert.deepEqual(at(shown, 'auth'), at(before, 'auth'))
    assert.equal((await callTool(endpoint, 'getStats', { token: await callers.token() })).isError, false)
  })

  test('takes a secret that stands on the command line, with a warning that does not repeat it', async () => {
    const password = 'alice123'
    const { code, stdout, stderr } = await gatehouse(
      ...['workspace', 'set', 'my-shop', '--username', 'alice', '--password', password],
      ...['--param', 'api_key=on-the-command-line', '--param', 'region=eu'],
    )
    assert.equal(code, 0)
    assert.match(
      stderr,
      /^Warning: --param api_key=… is a secret on the command line.*\nWarning: --password .* @file\n$/,
    )
    assert.ok(!`${stdout}${stderr}`.includes(password))
    const stats = await callTool(endpoint, 'getStats', { token: await callers.token() })
    assert.match(stats.text, /"requestedBy":"alice"/)
  })

  test('shows the log as text and as JSON, one line a request, with the login before its call', async () => {
    const called = await callTool(endpoint, 'listUsers', { token: await callers.token({ sub: 'somebody' }) })
    const text = await gatehouse('logs', '--limit', '1')
    assert.match(
      text.stdout,
      new RegExp(
        `^\\S+ \\S+  request tools/call listUsers  ok 200  [\\d.]+ ms  somebody  my-shop  ${called.requestId}\n$`,
      ),
    )
    const lines = (await gatehouse('logs', '--json', '--workspace', 'my-shop', '--limit', '1000')).stdout
      .trim()
      .split('\n')
    const kinds = lines.map((line) => textAt(JSON.parse(line), 'kind'))
    assert.ok(kinds.indexOf('login') >= 0 && kinds.indexOf('login') < kinds.indexOf('request', kinds.indexOf('login')))
    assert.ok(!lines.join('').includes('alice123'))
  })

  test('follows the log until Ctrl-C, which is a good end', async () => {
    await using following = folder.spawn(['logs', '--follow', '--limit', '1', '--gateway', gateway.url])
    await following.sees(/\n/)
    const called = await callTool(endpoint, 'getStats', { token: await callers.token() })
    await following.sees(new RegExp(called.requestId))
    const { code, signal, stderr } = await following.stop('SIGINT')
    assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
  })

  test('deletes it', async () => {
    const { code, stdout } = await gatehouse('workspace', 'delete', 'my-shop')
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'my-shop is deleted.\n' })
    assert.equal((await rpc(endpoint, 'tools/list', { token: await callers.token() })).status, 404)
    const gone = await gatehouse('workspace', 'show', 'my-shop')
    assert.deepEqual(
      { code: gone.code, stdout: gone.stdout, stderr: gone.stderr },
      { code: 1, stdout: '', stderr: 'There is no such workspace.\n' },
    )
  })
})
