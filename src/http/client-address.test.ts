import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createReadForwarded, type Forwarded, trustedProxies } from './client-address.ts'
import { forwardedOrigins } from './public-urls.ts'

type Headers = Readonly<Record<string, string>>

/** What is read of a real request over a real socket from 127.0.0.1. */
async function readOver(
  trusted: readonly string[],
  headers: Headers,
  origins?: ReadonlySet<string>,
): Promise<Forwarded | undefined> {
  const read = createReadForwarded(trusted, { origins })
  const { promise, resolve } = Promise.withResolvers<Forwarded | undefined>()
  const server = createServer({ joinDuplicateHeaders: true }, (request: IncomingMessage, response) => {
    assert.equal(read(request), read(request))
    resolve(read(request))
    response.end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address: AddressInfo | string | null = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const lines = Object.entries({ host: 'gateway.internal:8080', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const socket = connect(address.port, '127.0.0.1', () =>
    socket.write(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`),
  )
  const forwarded = await promise
  socket.destroy()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  return forwarded
}

suite('the client’s address behind a trusted proxy', () => {
  const cases = [
    { name: 'is the proxy’s own when it names none', header: '', address: '127.0.0.1' },
    { name: 'is the one that the proxy has added', header: '192.0.2.7', address: '192.0.2.7' },
    { name: 'is not what the client has written before it', header: '203.0.113.1, 192.0.2.7', address: '192.0.2.7' },
    { name: 'is found past other trusted proxies', header: '203.0.113.1, 192.0.2.7, 10.1.2.3', address: '192.0.2.7' },
    { name: 'is not past an untrusted one', header: '127.0.0.1, 192.0.2.7, 10.1.2.3', address: '192.0.2.7' },
    { name: 'is the first where all are trusted', header: '10.9.9.9, 10.1.2.3', address: '10.9.9.9' },
    { name: 'may have a port', header: '192.0.2.7:4711', address: '192.0.2.7' },
    { name: 'may be IPv6', header: '2001:DB8::7', address: '2001:db8::7' },
    { name: 'may be IPv6 with a port', header: '[2001:db8::7]:4711', address: '2001:db8::7' },
    {
      name: 'may be IPv4 in IPv6, also of a trusted proxy',
      header: '192.0.2.7, ::ffff:10.1.2.3',
      address: '192.0.2.7',
    },
    { name: 'is not touched by nonsense further left', header: '<script>, , 192.0.2.7', address: '192.0.2.7' },
  ]
  for (const { name, header, address } of cases) {
    test(name, async () => {
      const forwarded = await readOver(
        ['loopback', '10.1.0.0/16', '10.9.9.9'],
        header === '' ? {} : { 'x-forwarded-for': header },
      )
      assert.deepEqual([forwarded?.address, forwarded?.problem], [address, undefined])
    })
  }

  const unreadable = [
    { name: 'X-Forwarded-For', value: 'unknown' },
    { name: 'X-Forwarded-For', value: '192.0.2.7, ' },
    { name: 'X-Forwarded-For', value: '010.0.0.1' },
    { name: 'X-Forwarded-For', value: '192.0.2.7;x' },
    { name: 'X-Forwarded-For', value: Array.from({ length: 51 }, () => '127.0.0.1').join(',') },
    { name: 'X-Forwarded-Proto', value: 'gopher' },
    { name: 'X-Forwarded-Proto', value: 'https, javascript' },
    { name: 'X-Forwarded-Host', value: 'a.example, b.example' },
    { name: 'X-Forwarded-Host', value: 'a.example/path' },
    { name: 'X-Forwarded-Host', value: 'user@a.example' },
    { name: 'X-Forwarded-Host', value: 'a.example:99999999' },
  ]
  for (const { name, value } of unreadable) {
    test(`is refused when ${name} says ${value.slice(0, 30)}`, async () => {
      const forwarded = await readOver(['loopback'], { [name]: value })
      assert.deepEqual([forwarded?.problem?.code, forwarded?.address], ['invalid_request', '127.0.0.1'])
      assert.match(forwarded?.problem?.message ?? '', new RegExp(name))
      assert.ok(!forwarded?.problem?.message.includes(value))
    })
  }
})

suite('the origin that is printed', () => {
  const named = { publicUrl: undefined, trustProxy: ['loopback'] }
  const allowedHosts = ['MCP.example', 'gateway.internal:8080', '[2001:db8::7]:8443']
  const origins = forwardedOrigins({ ...named, allowedHosts })
  const https = { 'x-forwarded-proto': 'https' }
  const asked = (headers: Headers) => readOver(['loopback'], headers, origins)

  const cases = [
    {
      name: 'what the proxy says',
      headers: { ...https, 'x-forwarded-host': 'MCP.example' },
      is: 'https://mcp.example',
    },
    {
      name: 'without the usual port',
      headers: { ...https, 'x-forwarded-host': 'mcp.example:443' },
      is: 'https://mcp.example',
    },
    { name: 'of the Host where it says none', headers: https, is: 'https://gateway.internal:8080' },
    {
      name: 'of the first of several proxies',
      headers: { 'x-forwarded-proto': 'https, http' },
      is: 'https://gateway.internal:8080',
    },
    {
      name: 'perhaps http',
      headers: { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'mcp.example' },
      is: 'http://mcp.example',
    },
    {
      name: 'perhaps an address',
      headers: { ...https, 'x-forwarded-host': '[2001:DB8:0::7]:8443' },
      is: 'https://[2001:db8::7]:8443',
    },
    { name: 'none without a scheme', headers: { 'x-forwarded-host': 'mcp.example' }, is: undefined },
    {
      name: 'none of a name that is not written',
      headers: { ...https, 'x-forwarded-host': 'localhost' },
      is: undefined,
    },
  ]
  for (const { name, headers, is } of cases) {
    test(`is ${name}`, async () => {
      const forwarded = await asked(headers)
      assert.deepEqual([forwarded?.origin, forwarded?.problem], [is, undefined])
    })
  }

  for (const host of ['mcp.example:8443', 'gateway.internal', 'gateway.internal:443', '[2001:db8::7]']) {
    test(`is never made of a port that nobody has written: ${host} is refused (T21)`, async () => {
      const forwarded = await asked({ ...https, 'x-forwarded-host': host })
      assert.deepEqual([forwarded?.origin, forwarded?.problem?.code], [undefined, 'host_not_allowed'])
    })
  }

  test('is one of those that the operator has named, whatever a proxy passes on (T21)', () => {
    const read = createReadForwarded(['loopback'], { origins })
    const host = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom('mcp.example', 'MCP.EXAMPLE.', 'localhost', 'x.mcp.example'), fc.nat(70_000))
        .map((pair) => pair.join(':')),
    )
    const property = fc.property(
      host,
      host,
      fc.constantFrom('https', 'http', 'https,http', 'HTTPS', 'ws'),
      (one, two, scheme) => {
        const headers = { host: one, 'x-forwarded-host': two, 'x-forwarded-proto': scheme }
        // Only what is read of a request is given: no socket is needed to read a header.
        const { origin } = Reflect.apply(read, undefined, [{ socket: { remoteAddress: '127.0.0.1' }, headers }])
        assert.ok(origin === undefined || origins?.has(origin), origin)
      },
    )
    fc.assert(property, { numRuns: 1_000 })
    assert.equal(origins?.size, 6)
  })

  test('is nothing of the proxy’s where the configuration says it, or trusts nobody', async () => {
    const headers = { ...https, 'x-forwarded-host': 'mcp.example:8443' }
    const given = forwardedOrigins({ ...named, allowedHosts, publicUrl: 'https://mcp.example' })
    assert.equal(given, undefined)
    assert.equal(forwardedOrigins({ ...named, allowedHosts, trustProxy: [] }), undefined)
    const forwarded = await readOver(['loopback'], headers, given)
    assert.deepEqual([forwarded?.origin, forwarded?.problem], [undefined, undefined])
  })
})

suite('whoever is no trusted proxy', () => {
  test('says nothing about himself that counts (T21)', async () => {
    const headers = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'x' }
    for (const trusted of [['10.0.0.0/8'], ['private'], ['::1'], ['127.0.0.2']]) {
      assert.equal(await readOver(trusted, headers), undefined)
    }
  })

  test('cannot move the address, whatever stands to the left of his own', () => {
    const trusted = createReadForwarded(['loopback'], { origins: new Set() })
    const property = fc.property(fc.string({ maxLength: 60 }), (text) => {
      const request = { socket: { remoteAddress: '127.0.0.1' }, headers: { 'x-forwarded-for': `${text},192.0.2.7` } }
      // Only what is read of a request is given: no socket is needed to read a header.
      const forwarded = Reflect.apply(trusted, undefined, [request])
      assert.equal(forwarded.address, text.split(',').length > 49 ? '127.0.0.1' : '192.0.2.7')
    })
    fc.assert(property, { numRuns: 300 })
  })
})

suite('trusted proxies', () => {
  for (const wrong of [
    '0.0.0.0/0',
    '::/0',
    'nginx',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '1',
    '',
    '010.0.0.1',
  ]) {
    test(`cannot be ${JSON.stringify(wrong)}`, () =>
      assert.throws(() => trustedProxies([wrong]), { code: 'config_invalid' }))
  }
})
