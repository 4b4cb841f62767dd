import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest, type ServerResponse } from 'node:http'
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

  const answers = [
    { name: 'before there is an answer', write: () => undefined },
    { name: 'after the head of an answer', write: (response: ServerResponse) => response.flushHeaders() },
    { name: 'in the middle of an answer', write: (response: ServerResponse) => void response.write('first') },
  ]
  for (const { name, write } of answers) {
    test(`tells the server when the client goes ${name}, and holds no part of it back`, async () => {
      const server = createServer((_request, response) => write(response))
      await using _closing = { [Symbol.asyncDispose]: () => close(server) }
      const target = originOf('127.0.0.1', await listen(server, { host: '127.0.0.1', port: 0 }))
      await using proxy = await startTokenProxy(target, 'the-token')
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      const arrived = once(server, 'request', { signal })
      const sent = httpRequest(proxy.url).on('error', () => {})
      sent.end()
      const [, response] = await arrived
      if (response.headersSent) {
        const [answer] = await once(sent, 'response', { signal })
        if (name.startsWith('in')) assert.equal(`${(await once(answer, 'data', { signal }))[0]}`, 'first')
      }
      const gone = once(response, 'close', { signal })
      sent.destroy()
      await gone
    })
  }
})
