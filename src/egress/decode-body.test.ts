import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { decodeBody, isEncoded } from './decode-body.ts'
import type { OutgoingRequest } from './egress.ts'

const request: OutgoingRequest = {
  method: 'GET',
  origin: 'http://api.example',
  path: '/',
  headers: {},
  reach: 'operator',
  timeoutMs: 1000,
  responseBytesMax: 10_000,
}

const answer = (encoding: string, body: Buffer) => ({
  status: 200,
  headers: { 'content-encoding': encoding, 'content-length': String(body.length), 'x-a': '1' },
  body,
})

suite('decodeBody', () => {
  const text = 'Gatehouse '.repeat(50)
  const cases = [
    { encoding: 'gzip', pack: gzipSync },
    { encoding: 'X-GZIP', pack: gzipSync },
    { encoding: 'br', pack: brotliCompressSync },
    { encoding: 'deflate', pack: deflateSync },
    { encoding: 'deflate', pack: deflateRawSync },
  ]
  for (const { encoding, pack } of cases) {
    test(`unpacks ${encoding} made by ${pack.name} and drops the headers that no longer hold`, async () => {
      const unpacked = await decodeBody(request, answer(encoding, pack(text)))
      assert.equal(unpacked.body.toString(), text)
      assert.deepEqual(unpacked.headers, { 'x-a': '1' })
    })

    test(`stops a bomb in ${encoding} made by ${pack.name}`, async () => {
      const bomb = answer(encoding, pack(Buffer.alloc(5_000_000)))
      await assert.rejects(decodeBody(request, bomb), { code: 'upstream_too_large' })
    })

    test(`refuses broken ${encoding} instead of ${pack.name}`, async () => {
      const broken = answer(encoding, Buffer.from('\xffnot packed', 'latin1'))
      await assert.rejects(decodeBody(request, broken), { code: 'upstream_unreachable' })
    })
  }

  test('refuses encodings that it does not know, and several at once', async () => {
    for (const encoding of ['compress', 'gzip, gzip']) {
      await assert.rejects(decodeBody(request, answer(encoding, gzipSync('x'))), { code: 'upstream_unreachable' })
    }
  })
})

test('a body is encoded only when it has an encoding and bytes', () => {
  assert.equal(isEncoded({ 'content-encoding': 'gzip' }, 1), true)
  assert.equal(isEncoded({ 'content-encoding': 'gzip' }, 0), false)
  assert.equal(isEncoded({ 'content-encoding': 'identity' }, 1), false)
  assert.equal(isEncoded({}, 1), false)
})
