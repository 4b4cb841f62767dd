import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { startEverythingServer } from '../../src/testing/everything-server/everything-server.ts'
import { type RecordingMcpServer, startRecordingMcpServer } from '../../src/testing/recording-mcp-server.ts'
import { makeHome, runScript, scriptOf } from '../clients/program.ts'
import { Folder, type GatehouseProcess, type RunOptions } from './gatehouse-process.ts'
import { rpc, send, toolNames } from './http.ts'
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from './inbound-door.ts'

const ACCEPT = { accept: 'application/json, text/event-stream' } as const

let server: RecordingMcpServer
let provider: IdentityProvider
let folder: Folder

before(async () => {
  folder = await Folder.make()
  server = await startRecordingMcpServer()
  provider = await startIdentityProvider()
})

after(async () => {
  await provider.stop()
  await server[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** `gatehouse protect` of the recording server, until it listens. */
async function protect(
  args: readonly string[],
  options: RunOptions = {},
  url = server.url,
): Promise<GatehouseProcess & { endpoint: string }> {
  const command = folder.spawn(['protect', url, '--http-port', '0', ...args], options)
  try {
    const [, endpoint = ''] = await command.sees(/Protecting \S+ at (http:\S+\/mcp)/)
    return Object.assign(command, { endpoint })
  } catch (error) {
    await command[Symbol.asyncDispose]()
    throw error
  }
}

const jwks = () => ['--jwks-url', provider.jwksUrl, '--audience', AUDIENCE]
const call = (name: string) => ({ params: { name, arguments: {} }, headers: ACCEPT })

suite('gatehouse protect', () => {
  test('with a key set and an audience lets their callers in, and nobody else', async (t) => {
    const startedAt = performance.now()
    await using command = await protect([...jwks(), '--issuer', provider.issuer])
    const token = await provider.token()
    assert.deepEqual(await toolNames(command.endpoint, token), ['open', 'shut'])
    t.diagnostic(`from spawn to the first answer ${Math.round(performance.now() - startedAt)} ms`)
    assert.equal((await rpc(command.endpoint, 'tools/list')).status, 401)
    const other = await provider.token({ aud: 'another' })
    assert.equal((await rpc(command.endpoint, 'tools/list', { token: other })).status, 401)
    const foreign = await provider.token({ iss: 'https://another.example' })
    assert.equal((await rpc(command.endpoint, 'tools/list', { token: foreign })).status, 401)
    const { code, stderr, stdout } = await command.stop()
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout)
  })

  test('says where it listens, without the query of the server, and one line a call', async () => {
    await using command = await protect(['--auth', 'none'], {}, `${server.url}?key=kanarienvogel`)
    assert.match(
      command.stdout,
      /info +Protecting http:\/\/127\.0\.0\.1:\d+\/mcp at http:\S+\/mcp \(also http:\S+\/sse\)/,
    )
    await rpc(command.endpoint, 'tools/call', call('open'))
    await command.sees(/call +open +ok 200/)
    assert.equal(server.seen.at(-1)?.target, '/mcp?key=kanarienvogel')
    assert.doesNotMatch(command.stdout, /kanarienvogel/)
  })

  test('listens on two ports when two are named, and each serves both transports', async () => {
    await using command = folder.spawn(['protect', server.url, '--http-port', '0', '--sse-port', '0', ...jwks()])
    const found = await command.sees(/at (http:\S+)\/mcp[\s\S]*at (http:\S+)\/mcp/)
    const urls = found.slice(1)
    assert.equal(new Set(urls).size, 2)
    const authorization = `Bearer ${await provider.token()}`
    for (const url of urls) {
      assert.equal((await send('GET', `${url}/sse`, { headers: { accept: 'text/event-stream' } })).status, 401)
      const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
      assert.equal((await send('POST', `${url}/mcp`, { body, headers: { ...ACCEPT, authorization } })).status, 200)
    }
  })

  test('takes secrets from files, and from the environment, without a word', async () => {
    const callers = testCallers()
    await folder.write('secret.txt', `${callers.secret}\n`)
    await folder.write('bearer.txt', 'the-token-of-ours\n')
    const ours = ['--bearer', '@bearer.txt']
    const verifier = ['--issuer', callers.issuer, '--audience', callers.audience]
    for (const { args, env } of [
      { args: ['--jwt-secret', '@secret.txt'], env: {} },
      { args: [], env: { JWT_SECRET: callers.secret } },
    ]) {
      await using command = await protect([...args, ...ours, ...verifier], { env })
      assert.deepEqual(await toolNames(command.endpoint, await callers.token()), ['open', 'shut'])
      assert.equal(server.seen.at(-1)?.headers['authorization'], 'Bearer the-token-of-ours')
      assert.equal(command.stderr, '')
    }
  })

  test('warns once of a secret on the command line, and does not repeat it', async () => {
    const { secret, audience } = testCallers()
    const key = ['--api-key', 'kanarienvogel', '--api-key-header', 'X-Key']
    await using command = await protect(['--sse-port', '0', '--jwt-secret', secret, '--audience', audience, ...key])
    assert.equal(command.stderr.match(/--jwt-secret is a secret on the command line/g)?.length, 1, command.stderr)
    assert.match(command.stderr, /Better: --api-key @file/)
    assert.ok(!`${command.stdout}${command.stderr}`.includes('kanarienvogel'))
    assert.ok(!`${command.stdout}${command.stderr}`.includes(secret))
  })

  test('has rules for tools: offered, public and by scope', async () => {
    const rules = [
      '--tools',
      'open, shut',
      '--public-tools',
      'open',
      '--tool-scopes',
      'shut=a,b',
      '--required-scopes',
      'c',
    ]
    await using command = await protect([...jwks(), ...rules])
    assert.deepEqual(await toolNames(command.endpoint), ['open'])
    assert.match((await rpc(command.endpoint, 'tools/call', call('open'))).text, /called open/)
    assert.equal((await rpc(command.endpoint, 'tools/call', call('shut'))).status, 401)
    const token = await provider.token({ scope: 'c' })
    const refused = await rpc(command.endpoint, 'tools/call', { ...call('shut'), token })
    assert.equal(refused.status, 403)
    assert.match(refused.headers.get('www-authenticate') ?? '', /scope="c a b"/)
    const all = await provider.token({ scope: 'a b c' })
    assert.match((await rpc(command.endpoint, 'tools/call', { ...call('shut'), token: all })).text, /called shut/)
  })

  test('gives up on a server that is slower than --timeout-ms', async () => {
    await using slow = await startRecordingMcpServer()
    slow.answer = () => true
    await using command = await protect(['--timeout-ms', '200'], {}, slow.url)
    assert.equal((await rpc(command.endpoint, 'tools/list')).status, 504)
  })

  test('logs as JSON, of this level at least', async () => {
    await using command = await protect(['--log-format', 'json', '--log-level', 'info', ...jwks()])
    const [line = ''] = command.stdout.split('\n')
    assert.match(String(JSON.parse(line).msg ?? JSON.parse(line).message), /^Protecting /)
  })

  test('refuses names of hosts and pages that were not allowed', async () => {
    const allowed = ['--allowed-hosts', 'mcp.example', '--allowed-origins', 'https://app.example']
    await using command = await protect([...jwks(), ...allowed, '--public-url', 'https://mcp.example'])
    const from = (origin: string) => send('POST', command.endpoint, { body: {}, headers: { origin } })
    assert.equal((await from('https://evil.example')).status, 403)
    const answer = await from('https://app.example')
    assert.equal(answer.status, 401)
    assert.match(answer.headers.get('www-authenticate') ?? '', /resource_metadata="https:\/\/mcp\.example\//)
  })
})

suite('gatehouse protect does not start', { concurrency: 2 }, () => {
  const secret = 'fR3kq9ZpL2vXw7Bd'
  const cases = [
    ['without a URL', [], /missing required argument 'url'/],
    ['with a word for a URL', ['server'], /takes the URL of an MCP server, as in http/],
    ['with another scheme', ['ftp://127.0.0.1/mcp'], /takes the URL of an MCP server/],
    ['with a broken URL', ['http://[bad'], /is not a URL/],
    ['with a password in the URL', ['http://a:b@127.0.0.1/mcp'], /must not hold a user, a password/],
    ['with a key set and no audience', ['URL', '--jwks-url', 'http://127.0.0.1:1/'], /jwksUrl needs an audience/],
    ['with a short secret', ['URL', '--jwt-secret', secret, '--audience', 'a'], /needs at least 32/],
    ['with an audience and no key', ['URL', '--audience', 'a'], /no key to check tokens with/],
    ['for everybody on the network', ['URL', '--host', '0.0.0.0'], /no auth is configured/],
    ['on a port that is none', ['URL', '--http-port', '99999'], /port: Too big/],
    ['on a second port that is none', ['URL', '--http-port', '0', '--sse-port', 'x'], /port: .*digits only/],
    ['with two credentials', ['URL', '--bearer', '@a', '--api-key', '@b'], /--bearer or --api-key, not both/],
    ['with a file that is not there', ['URL', '--bearer', '@nothing'], /nothing cannot be read/],
    ['with a time that is none', ['URL', '--timeout-ms', 'soon'], /timeoutMs/],
    ['with scopes for no tool', ['URL', '--tool-scopes', 'a,b'], /--tool-scopes takes name=scope,scope/],
    ['with scopes and nobody to ask', ['URL', '--tool-scopes', 'a=b'], /need to know who calls/],
    ['with public tools where all is open', ['URL', '--auth', 'none', '--public-tools', 'a'], /need to know who calls/],
    ['with a flag that is none', ['URL', '--nothing'], /unknown option '--nothing'/],
  ] as const
  for (const [name, args, message] of cases) {
    test(name, async () => {
      const given = args.map((arg) => (arg === 'URL' ? server.url : arg))
      await using command = folder.spawn(['protect', ...given])
      // One that starts after all is killed: nothing would end it.
      const started = command.sees(/Protecting/).then(
        () => command.stop('SIGKILL'),
        () => command.ended,
      )
      const { code, stdout, stderr } = await started
      assert.equal(code, 1, stdout)
      assert.match(stderr, message)
      assert.doesNotMatch(stderr, /\n +at /, 'no stack')
      assert.ok(!stderr.includes(secret))
      assert.equal(stdout, '')
    })
  }

  test('on a port that is taken', async () => {
    await using first = await protect([])
    const { port } = new URL(first.endpoint)
    // `--port` is what every other command calls it.
    for (const flag of ['--http-port', '--port']) {
      const { code, stderr } = await folder.run(['protect', server.url, flag, port])
      assert.equal(code, 1)
      assert.match(stderr, /is taken by another program/)
    }
  })

  test('--help names every flag and what it is for', async () => {
    const { code, stdout } = await folder.run(['protect', '--help'])
    assert.equal(code, 0)
    const flags = 'http-port sse-port host jwks-url jwt-secret public-key issuer audience required-scopes public-tools'
    for (const flag of flags.split(' ')) assert.match(stdout, new RegExp(`--${flag} <`))
    assert.doesNotMatch(stdout, /undefined|\[\]/)
  })
})

suite('through gatehouse protect', () => {
  test('the Inspector CLI lists and calls, and mcp-remote connects', async () => {
    await using everything = await startEverythingServer()
    await using command = await protect(jwks(), {}, everything.url)
    await using home = await makeHome()
    const authorization = `Bearer ${await provider.token()}`
    const inspector = await scriptOf('@modelcontextprotocol/inspector', 'mcp-inspector')
    for (const era of ['legacy', 'modern']) {
      const target = ['--cli', command.endpoint, '--transport', 'http', '--header', `Authorization: ${authorization}`]
      const call = ['--protocol-era', era, '--method', 'tools/call', '--tool-name', 'test_simple_text']
      const { code, stdout, report } = await runScript(inspector, [...target, ...call], home)
      assert.equal(code, 0, report)
      assert.match(stdout, /This is a simple text response for testing/)
    }
    const remote = await scriptOf('mcp-remote', 'mcp-remote-client')
    for (const [transport, url] of [
      ['http-only', command.endpoint],
      ['sse-only', command.endpoint.replace(/mcp$/, 'sse')],
    ] as const) {
      const args = [url, '--transport', transport, '--header', `Authorization:${authorization}`]
      const { code, stderr, report } = await runScript(remote, args, home)
      assert.equal(code, 0, report)
      assert.match(stderr, /test_simple_text/, report)
    }
  })
})
