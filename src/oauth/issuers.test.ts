import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { PublicUrls } from '../http/public-urls.ts'
import { Issuers } from './issuers.ts'

const behind = { host: '127.0.0.1', port: 8080, trustProxy: ['loopback'] }
const asked = (origin?: string) => ({
  forwarded: { address: '203.0.113.9', origin, host: undefined, problem: undefined },
})

suite('the issuers of a gateway', () => {
  const urls = new PublicUrls({ ...behind, allowedHosts: ['mcp.example', 'localhost:3000', '10.0.0.5'] })
  const issuers = new Issuers(urls)
  const cases = [
    { name: 'https by a name of allowedHosts', origin: 'https://mcp.example', is: true },
    { name: 'http on this machine, through a proxy there', origin: 'http://localhost:3000', is: true },
    { name: 'http elsewhere', origin: 'http://mcp.example', is: false },
    { name: 'http in a private network', origin: 'http://10.0.0.5', is: false },
  ]
  for (const { name, origin, is } of cases) {
    test(`${is ? 'are' : 'are never'} ${name}`, () => {
      assert.equal(issuers.of(asked(origin)), is ? origin : undefined)
      assert.equal(issuers.isOurs(origin), is)
    })
  }

  test('are where it listens, for whoever comes by no proxy or by one that says nothing', () => {
    assert.deepEqual([issuers.of({}), issuers.of(asked())], ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'])
    assert.equal(issuers.is('http://127.0.0.1:8080', {}), true)
    assert.equal(issuers.is('https://mcp.example', {}), false)
    assert.equal(issuers.is('https://mcp.example', asked('https://mcp.example')), true)
  })

  test('are these and no others, to the letter', () => {
    for (const other of [
      'https://mcp.example/',
      'https://mcp.example:8443',
      'https://evil.example',
      undefined,
      [],
      '',
    ]) {
      assert.equal(issuers.isOurs(other), false, String(other))
    }
    const fixed = new Issuers(
      new PublicUrls({ ...behind, publicUrl: 'https://gate.example', allowedHosts: ['mcp.example'] }),
    )
    assert.deepEqual([fixed.isOurs('https://gate.example'), fixed.isOurs('https://mcp.example')], [true, false])
  })
})
