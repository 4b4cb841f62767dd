import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { type Ended, Folder, type Started } from './gatehouse-process.ts'
import { at, rpc, textAt } from './http.ts'
import { statusOf, statusWith } from './issuing.ts'

suite('the command line issues credentials', () => {
  let folder: Folder
  let api: TestApi
  let gateway: Started
  let url = ''

  const gatehouse = (...args: readonly string[]): Promise<Ended> => folder.run([...args, '--gateway', gateway.url])
  const json = async (...args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await gatehouse(...args, '--json')
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout)
    return JSON.parse(stdout)
  }

  before(async () => {
    folder = await Folder.make()
    api = await startTestApi({ mode: 'none' })
    gateway = await folder.start()
    url = textAt(await json('workspace', 'create', '--name', 'Shop', '--spec', `${api.origin}/openapi.json`), 'url')
  })
  after(async () => {
    await gateway[Symbol.asyncDispose]()
    await api.stop()
    await folder[Symbol.asyncDispose]()
  })

  let token = ''
  let id = ''
  test('a token in one command on a fresh data folder, shown once (B1, B2)', async () => {
    assert.equal((await gatehouse('token', 'list')).stdout, 'No tokens.\n')
    const made = await gatehouse('token', 'create', '--desc', 'Production API Access', '--expires', '1h')
    assert.deepEqual({ code: made.code, stderr: made.stderr }, { code: 0, stderr: '' })
    token = /^eyJ\S+$/m.exec(made.stdout)?.[0] ?? ''
    id = /^id +(\S+)$/m.exec(made.stdout)?.[1] ?? ''
    assert.match(made.stdout, /shown once/)
    assert.match(made.stdout, /^status +Active$/m)
    for (const args of [['list'], ['show', id]]) {
      const { stdout } = await gatehouse('token', ...args)
      assert.match(stdout, /Production API Access/)
      assert.ok(!stdout.includes(token))
    }
    const missing = await gatehouse('token', 'create')
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /--desc/)
    const wrong = await gatehouse('token', 'create', '--desc', 'x', '--expires', '1y')
    assert.deepEqual([wrong.code, /15m, 1h, 30d or never/.test(wrong.stderr)], [1, true])
  })

  test('associates it, which closes the workspace, and shows how it is used (B3, B5)', async () => {
    assert.equal((await rpc(url, 'tools/list')).status, 200)
    const associated = await gatehouse('token', 'associate', id, 'shop')
    assert.match(associated.stdout, /^opens +shop$/m)
    assert.ok(associated.stdout.includes(`curl -X POST ${url}`))
    assert.deepEqual([(await rpc(url, 'tools/list')).status, await statusOf(url, token)], [401, 200])
    const shown = await json('token', 'show', id)
    assert.deepEqual([at(shown, 'status'), at(shown, 'workspaces', 0, 'slug')], ['Active', 'shop'])
    assert.equal(at(shown, 'value'), undefined)
    assert.match(textAt(shown, 'lastUsedAt'), /^\d{4}-/)
    assert.deepEqual(at(await json('token', 'list', '--workspace', 'shop'), 0, 'id'), id)
  })

  test('decodes one offline, and says that it has verified nothing', async () => {
    await folder.write('token.txt', `${token}\n`)
    const decode = (...args: readonly string[]) => folder.run(['token', 'decode', ...args])
    const { code, stdout, stderr } = await decode('@token.txt')
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, new RegExp(`^jti +${id}$`, 'm'))
    assert.match(stdout, /^exp +\d+ \(\d{4}-/m)
    assert.match(stdout, /It could be good at this moment/)
    assert.match(stdout, /signature was not verified/)
    const plain = await decode(token)
    assert.deepEqual([plain.code, plain.stderr.includes(token)], [1, false])
    await folder.write('token.txt', 'nonsense')
    assert.match((await decode('@token.txt')).stdout, /This is no JWT/)
  })

  test('rotates the signing key, and the token stays good (B12)', async () => {
    const rotated = await gatehouse('keys', 'rotate')
    assert.deepEqual([rotated.code, /Tokens are signed with \S+ from now on/.test(rotated.stdout)], [0, true])
    assert.equal(await statusOf(url, token), 200)
  })

  test('revokes only when asked again, or with --yes, and then at once (B8)', async () => {
    const unasked = await gatehouse('token', 'revoke', id)
    assert.deepEqual(
      [unasked.code, unasked.stderr],
      [1, 'Nobody can be asked here: add --yes to do it without asking.\n'],
    )
    assert.equal(await statusOf(url, token), 200)
    const { code, stdout } = await gatehouse('token', 'revoke', id, '--yes')
    assert.deepEqual([code, /^status +Inactive \(revoked\)$/m.test(stdout)], [0, true])
    assert.equal(await statusOf(url, token), 401)
    assert.match((await gatehouse('token', 'list')).stdout, /Inactive \(revoked\)/)
  })

  test('an API key, and takes it back (A29, B10)', async () => {
    const made = await json(
      'key',
      'create',
      '--name',
      'ci',
      '--scopes',
      'mcp:call,mcp',
      '--workspace',
      'shop',
      '--default',
    )
    const key = textAt(made, 'value')
    assert.deepEqual(at(made, 'scopes'), ['mcp:call', 'mcp'])
    assert.deepEqual([await statusOf(url, key), await statusWith(url, { 'x-api-key': key })], [200, 200])
    const listed = await gatehouse('key', 'list')
    assert.match(
      listed.stdout,
      new RegExp(`^${textAt(made, 'id')} +Active +mcp_sk_\\S{5}… +shop \\(default\\) +\\d{4}-.+ci$`, 'm'),
    )
    const left = await json('key', 'dissociate', textAt(made, 'id'), 'shop')
    assert.deepEqual(at(left, 'workspaces'), [])
    assert.equal(await statusOf(url, key), 401)
    assert.equal((await gatehouse('key', 'revoke', textAt(made, 'id'), '--yes')).code, 0)
    const unknown = await gatehouse('key', 'revoke', 'nowhere', '--yes')
    assert.deepEqual([unknown.code, unknown.stderr], [1, 'There is no such API key.\n'])
  })
})
