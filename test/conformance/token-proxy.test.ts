import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { suite, test } from 'node:test'
import { close, listen, originOf } from '../../src/test-api/wire.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { startTokenProxy } from './token-proxy.ts'

const TIMEOUT_MS = 10_000

// What it changed would be blamed on the gateway behind it, or would hide a fault of the gateway's.
suite('the proxy that adds a token', () => {
  test('passes on method, path, body and headers as they came, a foreign Host too', async () => {
    await using api = await startRecordingApi()
    await using proxy = await startTokenProxy(`${api.url}/w/x/mcp`, 'the-token')
    assert.equal(new URL(proxy.url).pathname, '/w/x/mcp')
    const headers = { host: 'evil.example', 'mcp-session-id': 'abc', 'content-type': 'application/json' }
    const sent = httpRequest(`${proxy.url}?a=%2F`, { method: 'POST', headers })
    sent.end('{"id":1}')
    const [answer] = await once(sent, 'response', { signal: AbortSignal.timeout(TIMEOUT_MS) })
    answer.resume()
    assert.equal(answer.statusCode, 200)
    const [seen] = api.seen
    assert.equal(seen?.target, '/w/x/mcp?a=%2F')
    assert.equal(seen?.method, 'POST')
    assert.equal(seen?.body, '{"id":1}')
    assert.equal(seen?.headers['host'], 'evil.example')
    assert.equal(seen?.headers['mcp-session-id'], 'abc')
    assert.equal(seen?.headers['authorization'], 'Bearer the-token')
  })

  test('passes an answer on while it is written, and tells the server when the client goes', async () => {
    const server = createServer((_request, response) => void response.writeHead(200).write('first'))
    await using _closing = { [Symbol.asyncDispose]: () => close(server) }
    const target = originOf('127.0.0.1', await listen(server, { host: '127.0.0.1', port: 0 }))
    await using proxy = await startTokenProxy(target, 'the-token')
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const arrived = once(server, 'request', { signal })
    const leaving = new AbortController()
    const { body } = await fetch(proxy.url, { signal: AbortSignal.any([signal, leaving.signal]) })
    const { value } = (await body?.getReader().read()) ?? {}
    assert.equal(Buffer.from(value ?? []).toString(), 'first')
    const [, response] = await arrived
    const gone = once(response, 'close', { signal })
    leaving.abort()
    await gone
  })
})
