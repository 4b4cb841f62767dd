import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { SignJWT } from 'jose'
import { GatewayError } from '../../src/errors.ts'
import { type TestCallers, testCallers } from '../../src/testing/callers.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { at, callTool, post } from './support/client.ts'
import { type Home, makeHome, runGatehouse } from './support/gatehouse-process.ts'

/**
 * T16: what somebody else wrote becomes a command, or an address that a program opens. An issuer that a client hands to the
 * operating system's `open` (mcp-remote, CVE-2025-6514), a server with another scheme, a name that steers the terminal in
 * which it is listed. No source of ours starts a program: `test/architecture.test.ts` holds that.
 */
const METADATA_PATH = '/.well-known/oauth-protected-resource'

const goodIssuers = [
  'https://idp.example',
  'https://idp.example/',
  'https://idp.example:8443/realms/mcp',
  'https://login.example/11111111-2222-3333-4444-555555555555/v2.0',
  'https://[2001:db8::1]/a~b_c%20d',
  'http://localhost:9000',
  'http://127.0.0.1:9000/issuer',
]

const badIssuers = [
  'http://idp.example',
  'javascript:alert(1)',
  'file:///etc/passwd',
  'file://server/share/run.exe',
  'data:text/html,<script>1</script>',
  'vbscript:run',
  'ms-msdt:/id',
  'search-ms:query=x',
  'ssh://-oProxyCommand=calc',
  'urn:issuer',
  'idp.example',
  '-oProxyCommand=calc',
  'https:idp.example',
  'https:/idp.example',
  'https:\\\\idp.example',
  'https://user:pw@idp.example',
  'https://user@idp.example',
  'https://:pw@idp.example',
  'https://idp.example?',
  'https://idp.example/?next=1',
  'https://idp.example/#x',
  ' https://idp.example',
  'https://idp.example\n',
  'https://idp.example/\r\nX-Injected: 1',
  'https://idp.\texample',
  'https://idp.example/\u001b[2J',
  'https://idp.example/\u009b2J',
  'https://idp.example/\u202egro',
  'https://idp.example/$(calc)',
  'https://idp.example/`calc`',
  'https://idp.example/;calc',
  'https://idp.example/&calc',
  'https://idp.example/|calc',
  "https://idp.example/'calc'",
  'https://idp.example/"calc"',
  'https://idp.example/<calc>',
  'https://idp.example/{calc}',
  'https://idp.example/%TEMP%^calc',
  'https://idp.example/a b',
]

/** Steers a terminal, forges a line, hides text or turns it round. */
const STEERING = '\u001b]0;owned\u0007\u001b[2J\u001b[1mbold\u001b[22m\u009b31m\r\nFAKE ok\b\u202etxt\u200b\u2028\u007f'
/** Control characters but the end of a line, and what hides or turns text. */
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

suite('T16: only an address that a client may open is published', () => {
  test('an issuer is an authorization server when it is https (or loopback http), and nothing but an address', async () => {
    await using gateway = await startGateway()
    for (const issuer of [...goodIssuers, ...badIssuers]) {
      const callers = testCallers({ issuer: [issuer, 'https://always.example'] })
      const { endpoint } = await gateway.makeWorkspace({ name: 'published', auth: callers.auth })
      const { origin, pathname } = new URL(endpoint)
      const response = await fetch(`${origin}${METADATA_PATH}${pathname}`)
      assert.equal(response.status, 200)
      const expected = goodIssuers.includes(issuer) ? [issuer] : []
      const published = at(await response.json(), 'authorization_servers')
      assert.deepEqual(published, [...expected, 'https://always.example'], JSON.stringify(issuer))
      const refused = await post(endpoint, { jsonrpc: '2.0', id: 1, method: 'ping' })
      assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer resource_metadata="http:[^"]*"$/)
    }
  })

  test('a token of an issuer that is not published is taken all the same: the name is only not an address', async () => {
    await using gateway = await startGateway()
    const callers = testCallers({ issuer: ['urn:issuer'] })
    const { endpoint } = await gateway.makeWorkspace({ name: 'urn', auth: callers.auth })
    const token = await callers.token({ iss: 'urn:issuer' })
    assert.equal((await post(endpoint, { jsonrpc: '2.0', id: 1, method: 'ping' }, { token })).status, 200)
  })

  for (const publicUrl of [
    'javascript:alert(1)',
    'file:///srv',
    'ftp://mcp.example',
    'mcp.example',
    'https://user:pw@mcp.example',
    'https://mcp.example/?a=1',
    'https://mcp.example/#a',
  ]) {
    test(`${publicUrl} is no public URL: the gateway does not start`, async () => {
      const started = async () => {
        await using _gateway = await startGateway({ config: { publicUrl, auth: testCallers().auth } })
      }
      await assert.rejects(started, (error) => error instanceof GatewayError && /publicUrl/.test(error.message))
    })
  }

  test('a description puts no address of its own before a client: no icon, no website, no instructions', async () => {
    await using gateway = await startGateway()
    const unsafe = 'javascript:alert(1)'
    const document = documentOf('https://api.example', {
      info: { title: 'T', version: '1', termsOfService: unsafe, contact: { url: unsafe }, 'x-logo': { url: unsafe } },
      externalDocs: { url: unsafe },
    })
    const { endpoint } = await gateway.makeWorkspace({ name: 'linked', source: { document } })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    for (const message of [
      { jsonrpc: '2.0', id: 1, method: 'initialize', params },
      { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    ]) {
      const { status, text } = await post(endpoint, message)
      assert.equal(status, 200)
      assert.doesNotMatch(text, /javascript:|websiteUrl|icons/)
    }
  })
})

suite('T16: only an http URL is called', () => {
  for (const url of [
    'javascript:alert(1)',
    'file:///etc',
    'data:application/json,{}',
    'ssh://-oProxyCommand=calc/x',
    'cmd:/c calc',
    'unix:/var/run/docker.sock',
    '$(calc)',
  ]) {
    test(`a server ${JSON.stringify(url)} is not: the call says what to set`, async () => {
      await using gateway = await startGateway()
      const { endpoint } = await gateway.makeWorkspace({ name: 'odd', source: { document: documentOf(url) } })
      const called = await callTool(endpoint, '', 'getThing')
      assert.equal(called.isError, true)
      assert.equal(called.result, 'The API description names no server: set the base URL of the workspace.')
    })
  }
})

suite('T16: nothing that somebody else wrote steers the terminal in which it is read', () => {
  let home: Home
  let api: RecordingApi
  let gateway: TestGateway
  let callers: TestCallers

  before(async () => {
    home = await makeHome()
    api = await startRecordingApi()
    gateway = await startGateway()
    callers = testCallers({ issuer: [`https://idp.example/${STEERING}`] })
    const document = documentOf(api.url, {
      info: { title: STEERING, version: STEERING },
      paths: {
        '/thing': { get: { operationId: 'getThing', summary: STEERING, description: STEERING } },
        '/other': { get: { operationId: `get${STEERING}`, tags: [STEERING] } },
        [`/${STEERING}`]: { get: { operationId: 'setAside' } },
        '/lost': { get: { operationId: STEERING, parameters: [{ $ref: STEERING }] } },
        '/query': { additionalOperations: { [STEERING]: {} }, get: { operationId: 'q' } },
      },
    })
    const settings = { slug: 'steering', name: `Shop ${STEERING}`, source: { document }, auth: callers.auth }
    const { endpoint } = await gateway.makeWorkspace({ ...settings, tools: 'all' })
    const { secret } = callers
    const claims = { iss: `https://idp.example/${STEERING}`, aud: callers.audience, sub: STEERING, exp: 9_999_999_999 }
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: STEERING })
      .sign(new TextEncoder().encode(secret))
    await callTool(endpoint, token, 'getThing', {})
    await callTool(endpoint, token, STEERING, {})
    await callTool(endpoint, token, 'getThing', { [STEERING]: STEERING })
    const clientInfo = { name: STEERING, version: STEERING }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
    await post(endpoint, { jsonrpc: '2.0', id: 1, method: 'initialize', params }, { token })
    await post(endpoint, { jsonrpc: '2.0', id: 1, method: STEERING }, { token })
    await post(endpoint, { jsonrpc: '2.0', id: 1, method: 'ping' }, { token: `${token}x` })
  })
  after(async () => {
    await gateway[Symbol.asyncDispose]()
    await api[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  const commands = [
    ['workspace', 'list'],
    ['workspace', 'show', 'steering'],
    ['workspace', 'tools', 'steering'],
    ['workspace', 'import', 'steering', 'openapi.json'],
    ['workspace', 'set', 'steering', '--name', `Other ${STEERING}`],
    ['logs'],
  ]
  for (const command of commands) {
    for (const format of [[], ['--json']]) {
      test(`gatehouse ${[...command.slice(0, 3), ...format].join(' ')}`, async () => {
        const { stdout, stderr } = await run([...command, ...format])
        assert.equal(stderr, '')
        assert.ok(stdout.length > 20, stdout)
        assert.doesNotMatch(stdout, UNPRINTABLE)
        assert.doesNotMatch(stdout, /^FAKE/m, 'a line of its own')
        if (format.length > 0)
          for (const part of command[0] === 'logs' ? stdout.trim().split('\n') : [stdout]) JSON.parse(part)
      })
    }
  }

  test('an error that a server of somebody else sends', async () => {
    const problem = { type: 'about:blank', title: STEERING, status: 400, detail: STEERING, code: 'invalid_request' }
    await using evil = await startRecordingApi(() => ({ status: 400, body: problem }))
    const { stderr } = await run(['workspace', 'list'], evil.url)
    assert.match(stderr, /owned/)
    assert.doesNotMatch(stderr, UNPRINTABLE)
  })

  test('the lines of a start, and those of calls', async () => {
    const log = gateway.log.join('')
    assert.match(log, /FAKE/, 'what was sent is there, in one piece')
    assert.doesNotMatch(log, UNPRINTABLE)
    assert.doesNotMatch(log, /^FAKE/m)
    await gateway.restart()
    assert.doesNotMatch(gateway.log.join(''), UNPRINTABLE)
  })

  test('a config file with such a name', async () => {
    await using own = await makeHome()
    await own.write('gatehouse\u001b[2J\u009b31m.yaml', '{}')
    await using gatehouse = runGatehouse(own.folder, ['config', 'check', 'gatehouse\u001b[2J\u009b31m.yaml'])
    assert.equal(await gatehouse.exit, 0, gatehouse.stderr())
    assert.match(gatehouse.stdout(), /^gatehouse\?\[2J\?31m\.yaml is good/)
  })

  for (const logFormat of ['text', 'json']) {
    test(`a config file with such names, started with the log as ${logFormat}`, async () => {
      await using own = await makeHome()
      const settings = { name: `Shop ${STEERING}`, slug: 'file-shop', tools: [STEERING], source: 'openapi.json' }
      await own.write('openapi.json', documentOf(api.url))
      await own.configure({ logFormat, workspaces: [settings] })
      await using gatehouse = runGatehouse(own.folder, ['start'])
      assert.ok((await gatehouse.listening) !== undefined, gatehouse.stderr())
      await gatehouse.stop()
      assert.match(gatehouse.stdout(), /there is no tool .*FAKE/)
      assert.doesNotMatch(gatehouse.stdout() + gatehouse.stderr(), UNPRINTABLE)
      const check = runGatehouse(own.folder, ['config', 'check'])
      assert.equal(await check.exit, 1, check.stdout())
      assert.doesNotMatch(check.stdout() + check.stderr(), UNPRINTABLE)
    })
  }

  async function run(args: readonly string[], url = gateway.url): Promise<{ stdout: string; stderr: string }> {
    await home.write('openapi.json', documentOf(api.url, { paths: { [`/${STEERING}`]: { get: {} } } }))
    const connection = ['--gateway', url, '--keys-dir', `${gateway.folder}/keys`]
    await using gatehouse = runGatehouse(home.folder, [...args, ...connection])
    await gatehouse.exit
    return { stdout: gatehouse.stdout(), stderr: gatehouse.stderr() }
  }
})

function documentOf(url: string, more: object = {}): string {
  const paths = { '/thing': { get: { operationId: 'getThing' } } }
  return JSON.stringify({ openapi: '3.1.0', info: { title: 'T', version: '1' }, servers: [{ url }], paths, ...more })
}
