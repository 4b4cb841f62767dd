import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createReadForwarded, type Forwarded, trustedProxies } from './client-address.ts'

type Headers = Readonly<Record<string, string>>

/** What is read of a real request over a real socket from 127.0.0.1. */
async function readOver(trusted: readonly string[], headers: Headers): Promise<Forwarded | undefined> {
  const read = createReadForwarded(trusted, { printsOrigin: true })
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
  test('is what the proxy says, with the Host where it says none', async () => {
    const both = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'MCP.example' }
    assert.equal((await readOver(['loopback'], both))?.origin, 'https://mcp.example')
    assert.equal(
      (await readOver(['loopback'], { 'x-forwarded-proto': 'https' }))?.origin,
      'https://gateway.internal:8080',
    )
    assert.equal(
      (await readOver(['loopback'], { 'x-forwarded-proto': 'https, http' }))?.origin,
      'https://gateway.internal:8080',
    )
    assert.equal((await readOver(['loopback'], { 'x-forwarded-host': 'mcp.example' }))?.origin, undefined)
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
    const trusted = createReadForwarded(['loopback'], { printsOrigin: true })
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
