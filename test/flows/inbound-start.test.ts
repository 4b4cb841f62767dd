import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { stringify } from 'yaml'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { Folder } from './gatehouse-process.ts'
import { startIdentityProvider } from './inbound-door.ts'

const COMMAND = join(import.meta.dirname, '../../bin/gatehouse.js')

test('over stdio nobody is asked for a token, with a key set configured too: the program that started us is the caller (A34)', async () => {
  await using idp = await startIdentityProvider()
  await using api = await startTestApi({ mode: 'jwt' })
  await using folder = await Folder.make()
  const jwt = { jwksUrl: idp.jwksUrl, issuer: idp.issuer, audience: 'https://gateway.example', requiredScopes: ['mcp'] }
  const config = {
    dataDir: folder.file('data'),
    keysDir: folder.file('keys'),
    auth: { authType: 'jwt', jwt },
    workspaces: [
      {
        name: 'Shop',
        source: `${api.origin}/openapi.json`,
        upstream: { auth: { type: 'bearer' } },
        params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
        tools: 'all',
      },
    ],
  }
  await folder.write('gatehouse.yaml', stringify(config))
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [COMMAND, 'start', '--stdio', '--config', folder.file('gatehouse.yaml')],
    env: { HOME: folder.path },
    stderr: 'pipe',
  })
  const client = new Client({ name: 'stdio-flow', version: '1.0.0' })
  await client.connect(transport)
  try {
    const names = (await client.listTools()).tools.map(({ name }) => name).sort()
    assert.deepEqual(names, ['createItem', 'deleteItem', 'getStats', 'listItems', 'listUsers'])
    const { isError, content } = await client.callTool({ name: 'getStats', arguments: {} })
    assert.notEqual(isError, true, JSON.stringify(content))
    assert.match(JSON.stringify(content), /requestedBy.*admin/)
    assert.equal(api.counts.calls, 1)
  } finally {
    await client.close()
  }
})

test('an address that others can reach does not start without auth: exit 1, and it says what to do (A35)', async () => {
  await using folder = await Folder.make()
  for (const more of [[], ['--public-url', 'https://gateway.example']]) {
    const finished = await folder.run(['start', '--host', '0.0.0.0', '--port', '0', ...more])
    assert.equal(finished.code, 1, finished.stderr)
    assert.match(finished.stderr, /no auth is configured/)
    assert.match(finished.stderr, /--jwks-url, --jwt-secret, --public-key/)
    assert.match(finished.stderr, /authType: none/)
    assert.doesNotMatch(finished.stdout, /Listening on/)
  }
})

test('a key set without an audience does not start: exit 1, and it says what to set (A16)', async () => {
  await using folder = await Folder.make()
  const jwks = ['--jwks-url', 'https://issuer.example/jwks', '--issuer', 'https://issuer.example']
  const finished = await folder.run(['start', '--port', '0', ...jwks])
  assert.equal(finished.code, 1, finished.stderr)
  assert.match(finished.stderr, /jwksUrl needs an audience.*JWT_AUDIENCE.*--allow-any-audience/)
  assert.doesNotMatch(finished.stdout, /Listening on/)
})
