import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import type { OutgoingRequest } from './egress.ts'
import { checkRequest } from './safe-request.ts'

type Checked = Pick<OutgoingRequest, 'method' | 'path' | 'headers'>

const harmless: Checked = { method: 'GET', path: '/a?b=%20&c=(1)', headers: { 'X-A': 'b\tc é', Accept: '' } }

suite('checkRequest refuses, and does not repeat', () => {
  const canary = 'canary-7f3a'
  const hostile: readonly { name: string; more: Partial<Checked> }[] = [
    { name: 'a line break in a header', more: { headers: { 'x-a': `${canary}\r\nx-b: 1` } } },
    { name: 'a bare line feed in a header', more: { headers: { 'x-a': `${canary}\nx-b: 1` } } },
    { name: 'a NUL in a header', more: { headers: { 'x-a': `${canary}\0` } } },
    { name: 'a character beyond Latin-1 in a header', more: { headers: { 'x-a': `${canary}\u560d\u560a` } } },
    { name: 'a line break in a header name', more: { headers: { [`x${canary}\r\n`]: '1' } } },
    { name: 'a space in a header name', more: { headers: { [`x ${canary}`]: '1' } } },
    { name: 'an empty header name', more: { headers: { '': canary } } },
    { name: 'another host', more: { headers: { Host: canary } } },
    { name: 'a length of its own', more: { headers: { 'content-length': canary } } },
    { name: 'chunks of its own', more: { headers: { 'Transfer-Encoding': canary } } },
    { name: 'a connection of its own', more: { headers: { Connection: canary } } },
    { name: 'a line break in the path', more: { path: `/${canary}\r\n\r\nGET /` } },
    { name: 'a space in the path', more: { path: `/${canary} HTTP/1.1` } },
    { name: 'a fragment', more: { path: `/${canary}#x` } },
    { name: 'a character beyond ASCII in the path', more: { path: `/${canary}\u010a` } },
    { name: 'a path that is a URL', more: { path: `http://evil.example/${canary}` } },
    { name: 'a line break in the method', more: { method: `GET /${canary} HTTP/1.1\r\n` } },
  ]
  for (const { name, more } of hostile) {
    test(name, () => {
      assert.throws(
        () => checkRequest({ ...harmless, ...more }),
        (error) => error instanceof GatewayError && error.code === 'unsafe_value' && !error.message.includes(canary),
      )
    })
  }
})

test('checkRequest lets an ordinary request pass', () => {
  assert.doesNotThrow(() => checkRequest(harmless))
})

test('what checkRequest lets pass has no character that could end a line', () => {
  const text = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(text, text, text, (method, path, value) => {
      try {
        checkRequest({ method, path: `/${path}`, headers: { 'x-a': value } })
      } catch {
        return true // refused
      }
      return !/[\r\n\0]/.test(method + path + value)
    }),
  )
})
