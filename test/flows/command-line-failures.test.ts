import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { Folder } from './gatehouse-process.ts'
import { textAt } from './http.ts'

/** A server that is no gateway. */
async function listen(body: string) {
  const server = createServer((_request, response) => response.end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const close = async () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${address.port}`, close, [Symbol.asyncDispose]: close }
}

suite('a command that cannot do its work ends with 1 and one line that says why', () => {
  test('when no gateway has ever run here', async () => {
    await using folder = await Folder.make()
    const { code, stdout, stderr } = await folder.run(['workspace', 'list'])
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /^There is no key file .*admin\.key.* Start one with: gatehouse start .*\n$/)
  })

  test('when the gateway does not run, or something else answers', async () => {
    await using folder = await Folder.make()
    {
      await using gateway = await folder.start()
      await gateway.stop()
      const { code, stderr } = await folder.run(['workspace', 'list', '--gateway', gateway.url])
      assert.equal(code, 1)
      assert.match(stderr, /^No gateway answers at http:\/\/127\.0\.0\.1:\d+\. Start one with: gatehouse start.*\n$/)
    }
    await using other = await listen('<!doctype html>')
    const { code, stderr } = await folder.run(['logs', '--gateway', other.url])
    assert.equal(code, 1)
    assert.match(stderr, /^What answers at \S+ is no Gatehouse.*\n$/)
  })

  test('when the key is another gateway’s', async () => {
    await using folder = await Folder.make()
    await using gateway = await folder.start()
    await using other = await Folder.make()
    await using otherGateway = await other.start()
    const { code, stderr } = await other.run(['workspace', 'list', '--gateway', gateway.url])
    assert.ok(otherGateway.url)
    assert.equal(code, 1)
    assert.match(stderr, /^The gateway does not accept the key in .*admin\.key.*\n$/)
  })

  test('when the port is taken or the data folder is in use', async () => {
    await using folder = await Folder.make()
    await using gateway = await folder.start()
    const port = new URL(gateway.url).port
    const taken = await folder.run(['start', '--port', port, '--data-dir', 'elsewhere'])
    assert.equal(taken.code, 1)
    assert.equal(taken.stderr, `127.0.0.1:${port} is taken by another program: choose another with --port.\n`)
    const inUse = await folder.run(['start', '--port', '0'])
    assert.equal(inUse.code, 1)
    assert.match(inUse.stderr, /^[^\n]*data[^\n]*\n$/)
    const demoApi = await folder.run(['test-api', '--port', port])
    assert.deepEqual(
      { code: demoApi.code, stderr: demoApi.stderr },
      { code: 1, stderr: `Port ${port} is taken: choose another with --port.\n` },
    )
  })

  const misuses = [
    { args: ['workspace', 'create'], says: /required option '--name <name>'/ },
    { args: ['workspace', 'lsit'], says: /unknown command 'lsit'.*\n.*Did you mean list/ },
    { args: ['start', '--prot', '1'], says: /unknown option '--prot'.*\n.*Did you mean --port/ },
    { args: ['start', '--auth', 'oauth'], says: /Allowed choices are none, jwt/ },
    { args: ['start', '--port', 'eighty'], says: /port: .*number/ },
    { args: ['start', '--jwt-secret', '@missing'], says: /missing cannot be read/ },
    { args: ['workspace', 'list', '--gateway', 'localhost'], says: /--gateway takes a URL/ },
  ]
  for (const { args, says } of misuses) {
    test(`when it is called as gatehouse ${args.join(' ')}`, async () => {
      await using folder = await Folder.make()
      const { code, stdout, stderr } = await folder.run(args)
      assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, / {4}at /)
    })
  }
})

suite('gatehouse config check', () => {
  test('says what a good file would serve', async () => {
    await using folder = await Folder.make()
    await folder.write(
      'shop.json',
      JSON.stringify({
        openapi: '3.1.0',
        info: { title: 'Shop', version: '1' },
        servers: [{ url: 'https://shop.example' }],
        paths: { '/items': { get: { operationId: 'listItems' }, post: { operationId: 'createItem' } } },
      }),
    )
    await folder.write(
      'gatehouse.yaml',
      `
auth: { authType: jwt, jwt: { jwksUrl: https://idp.example/jwks, issuer: https://idp.example, audience: mine } }
workspaces:
  - { name: Shop, source: shop.json }
  - { name: Other, source: https://nowhere.example/openapi.json, auth: { authType: none } }
`,
    )
    const { code, stdout, stderr } = await folder.run(['config', 'check'])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /^gatehouse\.yaml is good: 2 workspaces, listening on 127\.0\.0\.1:8080\.\n/)
    assert.match(stdout, /shop +1 of 2 tools on +callers need a JWT/)
    assert.match(stdout, /other +the API description is fetched at the start +everybody may call/)
  })

  test('ends with 1 for a file that would not start, with every problem and no secret', async () => {
    await using folder = await Folder.make()
    await folder.write(
      'bad.yaml',
      `
workspaces:
  - { name: Short, auth: { authType: jwt, jwt: { secret: hunter2 } } }
  - { name: Any audience, auth: { authType: jwt, jwt: { jwksUrl: https://idp.example/jwks } } }
`,
    )
    const { code, stdout, stderr } = await folder.run(['config', 'check', 'bad.yaml'])
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /workspaces\.0\.auth: .*32/)
    assert.match(stderr, /workspaces\.1\.auth: .*audience/)
    assert.doesNotMatch(stderr, /hunter2/)
  })
})

suite('gatehouse config check of API descriptions beside the file', () => {
  test('ends with 1 for each that is not there, is none, or does not have the tools', async () => {
    await using folder = await Folder.make()
    await folder.write('not-openapi.json', '{"hello": 1}')
    await folder.write('empty.json', '{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}}')
    await folder.write(
      'gatehouse.yaml',
      `
workspaces:
  - { name: Missing, source: missing.json }
  - { name: Broken, source: not-openapi.json }
  - { name: Misspelt, source: empty.json, tools: [listItem] }
`,
    )
    const { code, stderr } = await folder.run(['config', 'check'])
    assert.equal(code, 1)
    for (const says of [/ missing: .*cannot be read/, / broken: /, / misspelt: tools: there is no tool listItem\./]) {
      assert.match(stderr, says)
    }
  })
})

suite('gatehouse', () => {
  test('tells its version and its commands', async () => {
    await using folder = await Folder.make()
    assert.match((await folder.run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
    const help = await folder.run(['--help'])
    assert.equal(help.code, 0)
    for (const command of ['demo', 'start', 'workspace', 'logs', 'config', 'test-api']) {
      assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'))
    }
  })

  test('talks to a gateway that listens on every address, without the secrets of its config file', async () => {
    await using folder = await Folder.make()
    await folder.write(
      'gatehouse.yaml',
      'host: 0.0.0.0\npublicUrl: https://mcp.example\nauth: { authType: jwt, jwt: { secret: { $env: JWT_KEY } } }\n',
    )
    await using gateway = await folder.start([], { env: { JWT_KEY: testCallers().secret } })
    const { port } = new URL(gateway.url)
    const made = await folder.run(['workspace', 'create', '--name', 'Shop', '--port', port, '--json'])
    assert.equal(made.code, 0, made.stderr)
    assert.match(textAt(JSON.parse(made.stdout), 'url'), /^https:\/\/mcp\.example\/shop-/)
  })
})
