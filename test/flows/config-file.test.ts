import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { suite, test } from 'node:test'
import { loadConfig } from '../../src/config.ts'
import { openapiDocument } from '../../src/test-api/document.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { Folder, type Started } from './gatehouse-process.ts'
import { adminOf, callTool, readAdminKey, rpc, send, textAt, toolNames } from './http.ts'

const TOOLS = ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers']
/** JSON is YAML. */
const yaml = (value: unknown) => JSON.stringify(value, null, 2)

/** The endpoint of a workspace, from the line that `gatehouse start` prints for it. */
async function endpointOf(gateway: Started, slug: string): Promise<string> {
  const [, url = ''] = await gateway.sees(new RegExp(` ${slug}: (http:\\S+)`))
  return url
}

function folders(folder: Folder): Record<string, unknown> {
  return { dataDir: folder.file('data'), keysDir: folder.file('keys') }
}

suite('gatehouse start with a config file', () => {
  test('serves an API behind a login to callers with a JWT, with secrets from the environment and from files', async () => {
    await using api = await startTestApi({ mode: 'jwt' })
    await using folder = await Folder.make()
    const callers = testCallers()
    await folder.write('jwt.secret', `${callers.secret}\n`)
    await folder.write(
      'gatehouse.yaml',
      `
dataDir: data
keysDir: keys
workspaces:
  - name: Shop
    source: ${api.origin}/openapi.json
    auth:
      authType: jwt
      jwt: { secret: { $file: jwt.secret }, issuer: ${callers.issuer}, audience: ${callers.audience} }
    upstream: { auth: { type: bearer } }
    params:
      login_url: ${api.origin}/auth/login
      username: admin
      password: { $env: SHOP_PASSWORD }
    tools: [listItems, createItem, deleteItem]
`,
    )
    await using gateway = await folder.start([], { env: { SHOP_PASSWORD: 'password' } })
    const endpoint = await endpointOf(gateway, 'shop')
    assert.match(endpoint, /^http:\/\/127\.0\.0\.1:\d+\/shop-[a-z0-9]{16}$/)

    const token = await callers.token()
    assert.equal((await rpc(endpoint, 'tools/list')).status, 401)
    assert.deepEqual([...(await toolNames(endpoint, token))].sort(), ['createItem', 'deleteItem', 'listItems'])
    const items = await callTool(endpoint, 'listItems', { args: { search: 'lamp' }, token })
    assert.match(items.text, /Desk lamp/)
    const off = await rpc(endpoint, 'tools/call', { params: { name: 'getStats' }, token })
    assert.match(off.text, /Unknown tool: getStats/)
    assert.equal(api.counts.logins, 1)
    assert.ok(!`${gateway.stdout}${gateway.stderr}`.includes(callers.secret))
  })

  test('takes an API description that stands beside it, whatever the folder it is started from', async () => {
    await using api = await startTestApi({ mode: 'bearer' })
    await using folder = await Folder.make()
    await using elsewhere = await Folder.make()
    await folder.write('shop.json', JSON.stringify(openapiDocument({ origin: api.origin, mode: 'bearer' })))
    const upstream = { auth: { type: 'bearer', token: api.credentials.bearerToken } }
    const workspaces = [{ name: 'Shop', source: 'shop.json', upstream, tools: 'all' }]
    await folder.write('shop.yaml', yaml({ ...folders(folder), workspaces }))
    await using gateway = await elsewhere.start(['--config', folder.file('shop.yaml')])
    const endpoint = await endpointOf(gateway, 'shop')
    assert.deepEqual([...(await toolNames(endpoint))].sort(), TOOLS)
    assert.equal((await callTool(endpoint, 'getStats')).isError, false)
  })

  test('keeps id, slug and URL over restarts, takes over changes, and does not serve what was taken out', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using folder = await Folder.make()
    const source = `${api.origin}/openapi.json`
    const configure = (workspaces: unknown) => folder.write('gatehouse.yaml', yaml({ ...folders(folder), workspaces }))
    const pathOf = async (gateway: Started, slug: string) => new URL(await endpointOf(gateway, slug)).pathname

    await configure([
      { name: 'Shop', slug: 'shop', source },
      { name: 'Second', source },
    ])
    let paths: readonly string[] = []
    {
      await using gateway = await folder.start()
      paths = [await pathOf(gateway, 'shop'), await pathOf(gateway, 'second')]
      assert.deepEqual([...(await toolNames(await endpointOf(gateway, 'shop')))].sort(), TOOLS.slice(2))
      assert.equal((await gateway.stop()).code, 0)
    }
    await configure([{ name: 'A shop of another name', slug: 'shop', source, tools: ['getStats'] }])
    {
      await using gateway = await folder.start()
      assert.equal(await pathOf(gateway, 'shop'), paths[0])
      assert.deepEqual(await toolNames(await endpointOf(gateway, 'shop')), ['getStats'])
      const gone = await rpc(`${gateway.url}${paths[1]}`, 'tools/list')
      assert.equal(gone.status, 404)
      assert.ok(!gateway.stdout.includes('second'), gateway.stdout)
      await gateway.stop()
    }
    await configure([{ name: 'Second', source }])
    await using gateway = await folder.start()
    assert.equal(await pathOf(gateway, 'second'), paths[1])
  })

  test('fetches an API description later when it cannot be fetched at the start', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using folder = await Folder.make()
    const document = JSON.stringify(openapiDocument({ origin: api.origin, mode: 'none' }))
    let isUp = false
    const server = createServer((_request, response) => {
      if (!isUp) return void response.writeHead(503).end()
      response.end(document)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    try {
      const source = `http://127.0.0.1:${address.port}/openapi.json`
      const config = { ...folders(folder), workspaces: [{ name: 'Shop', source, tools: 'all' }] }
      await folder.write('gatehouse.yaml', yaml(config))
      await using gateway = await folder.start()
      const endpoint = await endpointOf(gateway, 'shop')
      assert.match(gateway.stdout, /warn .*Workspace shop: .*answered 503.*fetching goes on/)
      assert.deepEqual(await toolNames(endpoint), [])
      isUp = true
      await gateway.sees(/Workspace shop: its API description was fetched/)
      assert.deepEqual([...(await toolNames(endpoint))].sort(), TOOLS)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('does not let the API change what the file keeps', async () => {
    await using folder = await Folder.make()
    await folder.write('gatehouse.yaml', yaml({ ...folders(folder), workspaces: [{ name: 'Shop' }] }))
    await using gateway = await folder.start()
    await endpointOf(gateway, 'shop')
    const admin = adminOf(gateway.url, await readAdminKey(folder.file('keys')))
    const attempts = [
      ['PATCH', '/api/workspaces/shop', { name: 'Other' }],
      ['PATCH', '/api/workspaces/shop/tools', {}],
      ['POST', '/api/workspaces/shop/import', { document: '{}' }],
      ['DELETE', '/api/workspaces/shop', undefined],
    ] as const
    for (const [method, path, body] of attempts) {
      const refused = await admin(method, path, body)
      assert.equal(refused.status, 409, `${method} ${path}`)
      assert.match(textAt(refused.body, 'detail'), /kept by the config file: change it there and restart/)
    }
  })

  test('listens nowhere when the file is wrong, and names every problem', async () => {
    await using folder = await Folder.make()
    await folder.write(
      'gatehouse.yaml',
      yaml({
        prot: 8080,
        workspaces: [{ name: 'Shop', auth: { authType: 'jwt', jwt: { secrat: 'x' } } }],
      }),
    )
    const ended = await folder.run(['start', '--port', '0'])
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /^The configuration is not usable:\n.*"secrat"[\s\S]*"prot"/)
    assert.equal(ended.stdout, '')
  })

  const wrongFiles = [
    { what: 'a variable that is not set', config: 'host: { $env: NOT_SET }', says: /NOT_SET is not set/ },
    {
      what: 'a secret file that is not there',
      config: 'encryptionKey: { $file: no.key }',
      says: /no\.key cannot be read/,
    },
    { what: 'two names for one URL', config: 'workspaces: [{ name: My Shop }, { name: my-shop }]', says: /twice/ },
    { what: 'what is no YAML', config: 'port: 8080\n"unclosed', says: /is not YAML \(line 2\)/ },
  ]
  for (const { what, config, says } of wrongFiles) {
    test(`says so when it finds ${what}`, async () => {
      await using folder = await Folder.make()
      await folder.write('gatehouse.yaml', config)
      assert.throws(() => loadConfig({ file: folder.file('gatehouse.yaml'), env: {} }), says)
    })
  }

  test('answers health checks while it runs', async () => {
    await using folder = await Folder.make()
    await using gateway = await folder.start(['--data-dir', 'data', '--keys-dir', 'keys'])
    for (const path of ['/health/live', '/health/ready']) {
      const { status, body } = await send('GET', `${gateway.url}${path}`)
      assert.deepEqual({ status, body }, { status: 200, body: { status: 'ok' } })
    }
  })
})
