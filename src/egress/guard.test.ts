import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { checkAddress, checkHostname } from './guard.ts'

suite('the guard refuses for everybody', () => {
  const urls = [
    ['the metadata address', 'http://169.254.169.254'],
    ['the metadata address in decimal', 'http://2852039166'],
    ['the metadata address in hexadecimal', 'http://0xA9FEA9FE'],
    ['the metadata address in octal', 'http://0251.0376.0251.0376'],
    ['the metadata address with full-width digits', 'http://１６９.２５４.１６９.２５４'],
    ['the metadata address, mapped', 'http://[::ffff:169.254.169.254]'],
    ['the metadata address, compatible', 'http://[::169.254.169.254]'],
    ['the metadata address, translated', 'http://[::ffff:0:169.254.169.254]'],
    ['the metadata address behind NAT64', 'http://[64:ff9b::a9fe:a9fe]'],
    ['the metadata address behind local NAT64 with a long prefix', 'http://[64:ff9b:1::a9fe:a9fe]'],
    ['the metadata address behind local NAT64 with a short prefix', 'http://[64:ff9b:1:a9fe:a9:fe00::]'],
    ['the metadata address behind 6to4', 'http://[2002:a9fe:a9fe::1]'],
    ['the metadata address behind Teredo', 'http://[2001:0:4136:e378:8000:63bf:5601:5601]'],
    ['the container agent', 'http://169.254.170.2'],
    ['AWS over IPv6', 'http://[fd00:ec2::254]'],
    ['Alibaba', 'http://100.100.100.200'],
    ['Oracle', 'http://192.0.0.192'],
    ['Azure WireServer', 'http://168.63.129.16'],
    ['GCP over IPv6', 'http://[fd20:ce::254]'],
    ['the metadata name', 'http://metadata.google.internal'],
    ['the metadata name with a final dot and capitals', 'http://METADATA.google.internal.'],
    ['the unspecified address', 'http://0.0.0.0'],
    ['zero', 'http://0'],
    ['0.0.0.0/8', 'http://0.1.2.3'],
    ['the unspecified IPv6 address', 'http://[::]'],
    ['the unspecified address, mapped', 'http://[::ffff:0.0.0.0]'],
    ['broadcast', 'http://255.255.255.255'],
    ['multicast', 'http://224.0.0.1'],
    ['IPv6 multicast', 'http://[ff02::1]'],
  ] as const
  for (const [name, url] of urls) {
    test(name, () => {
      const { hostname } = new URL(url)
      assert.equal(checkHostname(hostname, 'operator').ok, false)
      assert.equal(checkHostname(hostname, 'person').ok, false)
    })
  }
})

suite('the guard lets the operator, and nobody else, name', () => {
  const urls = [
    ['loopback', 'http://127.0.0.1'],
    ['loopback in short', 'http://127.1'],
    ['loopback in decimal', 'http://2130706433'],
    ['loopback in hexadecimal', 'http://0x7f000001'],
    ['loopback in octal', 'http://017700000001'],
    ['loopback, mapped', 'http://[::ffff:7f00:1]'],
    ['loopback, compatible', 'http://[::7f00:1]'],
    ['loopback behind NAT64', 'http://[64:ff9b::127.0.0.1]'],
    ['loopback behind 6to4', 'http://[2002:7f00:1::]'],
    ['IPv6 loopback', 'http://[::1]'],
    ['10/8', 'http://10.1.2.3'],
    ['172.16/12', 'http://172.31.255.255'],
    ['192.168/16', 'http://192.168.0.1'],
    ['carrier-grade NAT', 'http://100.64.0.1'],
    ['unique local', 'http://[fc00::1]'],
    ['link-local', 'http://[fe80::1]'],
    ['benchmarking', 'http://198.18.0.1'],
    ['class E', 'http://240.0.0.1'],
    ['IPv6 that is not given out', 'http://[4000::1]'],
  ] as const
  for (const [name, url] of urls) {
    test(name, () => {
      const { hostname } = new URL(url)
      assert.equal(checkHostname(hostname, 'operator').ok, true)
      assert.equal(checkHostname(hostname, 'person').ok, false)
    })
  }
})

test('the guard lets a person name public addresses and names', () => {
  for (const url of [
    'http://8.8.8.8',
    'https://[2606:4700::1111]',
    'https://api.example.com',
    'http://[64:ff9b::8.8.8.8]',
  ]) {
    assert.deepEqual(checkHostname(new URL(url).hostname, 'person'), { ok: true }, url)
  }
})

test('the guard refuses what is not an address', () => {
  for (const text of ['', 'example.com', '1.2.3.4.5', '::g']) assert.equal(checkAddress(text, 'operator').ok, false)
})

test('an IPv4 address is judged alike in every form that carries it', () => {
  const byte = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(byte, byte, byte, byte, (a, b, c, d) => {
      const plain = checkAddress(`${a}.${b}.${c}.${d}`, 'person').ok
      const hex = (high: number, low: number) => ((high << 8) | low).toString(16)
      const words = `${hex(a, b)}:${hex(c, d)}`
      const forms = [`::ffff:${words}`, `64:ff9b::${words}`, `2002:${words}::1`, `::ffff:0:${words}`]
      for (const form of forms) assert.equal(checkAddress(form, 'person').ok, plain, form)
    }),
    { numRuns: 300 },
  )
})

test('any text gets a verdict', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof checkHostname(text, 'person').ok === 'boolean'))
})
