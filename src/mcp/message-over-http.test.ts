import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { send } from '../http/http.test-support.ts'
import { serveMessages } from './mcp.test-support.ts'

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const JSON_TYPE = { 'content-type': 'application/json' }

const server = await serveMessages({ after })

suite('the HTTP request around a message', () => {
  for (const method of ['GET', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']) {
    test(`by ${method} is 405 and told what is allowed`, async () => {
      const { status, headers } = await send(server, { method })
      assert.equal(status, 405)
      assert.equal(headers.allow, 'GET, POST, DELETE, OPTIONS')
    })
  }

  const listening = { accept: 'text/event-stream' }
  const wishes = [
    { name: 'over Streamable HTTP', path: '/shop', headers: listening, over: 'streamable-http' },
    {
      name: 'among other types',
      path: '/shop/mcp',
      headers: { accept: 'text/html, Text/Event-Stream;q=1' },
      over: 'streamable-http',
    },
    { name: 'over the 2024 transport', path: '/shop/sse', headers: listening, over: 'sse' },
    { name: 'over the 2024 transport, with a slash', path: '/shop/sse/', headers: listening, over: 'sse' },
  ]
  for (const { name, path, headers, over } of wishes) {
    test(`by GET that takes events is a wish to listen ${name}`, async () => {
      const { status, text } = await send(server, { method: 'GET', path, headers })
      assert.deepEqual([status, JSON.parse(text)], [200, { kind: 'listen', over }])
    })
  }

  const noWishes = [
    { name: 'in the stateless revision', path: '/', headers: { ...listening, 'mcp-protocol-version': '2026-07-28' } },
    { name: 'where messages are posted', path: '/shop/message', headers: listening },
    { name: 'for a type that only looks alike', path: '/', headers: { accept: 'text/event-streams, */*' } },
  ]
  for (const { name, path, headers } of noWishes) {
    test(`by GET is 405 ${name}`, async () => {
      assert.equal((await send(server, { method: 'GET', path, headers })).status, 405)
    })
  }

  test('by DELETE ends a session, which it must name', async () => {
    const { status, text } = await send(server, { method: 'DELETE', headers: { 'mcp-session-id': 'abc' } })
    assert.deepEqual([status, JSON.parse(text)], [200, { kind: 'end-session', sessionId: 'abc' }])
    assert.equal((await send(server, { method: 'DELETE' })).status, 400)
  })

  const contentTypes: readonly [type: string | undefined, status: number][] = [
    ['application/json', 200],
    ['Application/JSON; charset=utf-8', 200],
    ['application/json;', 200],
    ['application/json ; charset="utf-8"', 200],
    [undefined, 415],
    ['', 415],
    ['text/plain', 415],
    ['text/plain; a=application/json', 415],
    ['application/json-rpc', 415],
    ['application/jsonp', 415],
    ['application/json, text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['multipart/form-data; boundary=application/json', 415],
  ]
  for (const [type, status] of contentTypes) {
    test(`with Content-Type ${type} is ${status}`, async () => {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      assert.equal((await send(server, { headers, body: JSON.stringify(LIST) })).status, status)
    })
  }

  const accepts: readonly [type: string | undefined, status: number][] = [
    [undefined, 200],
    ['application/json, text/event-stream', 200],
    ['text/event-stream,application/json;q=0.5', 200],
    ['APPLICATION/JSON', 200],
    ['*/*', 200],
    ['text/html, */*;q=0.1', 200],
    ['application/*', 200],
    ['text/event-stream', 406],
    ['text/html', 406],
    ['application/json-seq', 406],
    ['application/jsonlines, text/event-stream', 406],
    ['application/vnd.api+json', 406],
  ]
  for (const [type, status] of accepts) {
    test(`with Accept ${type} is ${status}`, async () => {
      const headers: Record<string, string> = type === undefined ? JSON_TYPE : { ...JSON_TYPE, accept: type }
      assert.equal((await send(server, { headers, body: JSON.stringify(LIST) })).status, status)
    })
  }
})
