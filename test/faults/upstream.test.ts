import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type FaultyApi, startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { at, callApi, callTool, post } from '../attacks/support/client.ts'
import { documentWith, openShop, type Shop } from './support/bystander.ts'

let shop: Shop
let faulty: FaultyApi
let endpoint = ''
/** The same API, with little patience. */
let hasty = ''

before(async () => {
  shop = await openShop()
  faulty = await startFaultyApi({ redirectTo: 'https://elsewhere.example' })
  const source = { url: `${faulty.url}/openapi.json` }
  const upstream = { responseBytesMax: 10_000 }
  endpoint = (await shop.make({ name: 'faulty', source, upstream })).endpoint
  hasty = (await shop.make({ name: 'hasty', source, upstream: { ...upstream, timeoutMs: 250 } })).endpoint
})

after(async () => {
  await shop[Symbol.asyncDispose]()
  await faulty[Symbol.asyncDispose]()
})

suite('an API that misbehaves is told to the model in words, and the next call is served, when it', () => {
  const cases: readonly { readonly name: string; readonly tool: string; readonly says: string }[] = [
    { name: 'is slow', tool: 'getSlow', says: 'The API did not answer within 250 ms.' },
    { name: 'answers without end', tool: 'getHuge', says: 'The API answered with more than the limit of 10 KB.' },
    { name: 'drops the line', tool: 'getDrop', says: 'The API could not be reached: the connection was dropped.' },
    { name: 'answers half', tool: 'getHalf', says: 'The API could not be reached: the connection was dropped.' },
    {
      name: 'answers 429',
      tool: 'getLimited',
      says: 'GET /limited answered 429 Too Many Requests (Retry-After: 7): {"error":"TOO_MANY_REQUESTS","message":"Try again in 7 seconds."}',
    },
    {
      name: 'answers 500',
      tool: 'getBroken',
      says: 'GET /broken answered 500 Internal Server Error: {"error":"BROKEN","message":"This never works."}',
    },
    {
      name: 'redirects',
      tool: 'getRedirect',
      says: 'GET /redirect answered 302 Found: redirects are not followed (to elsewhere.example).',
    },
  ]
  for (const { name, tool, says } of cases) {
    test(name, async () => {
      const called = await callTool(tool === 'getSlow' ? hasty : endpoint, shop.token, tool)
      assert.equal(called.status, 200, 'a tool that failed is an answer, no failure of the protocol')
      assert.equal(at(at(called.json, 'result'), 'isError'), true)
      assert.equal(called.result, says)
      const next = await callTool(endpoint, shop.token, 'getEmpty')
      assert.deepEqual({ isError: next.isError, result: next.result }, { isError: false, result: '204 No Content' })
      await shop.assertOthersAreServed()
      const logs = await callApi(shop.gateway, 'GET', `/api/logs?tool=${tool}&limit=1`)
      assert.match(logs.text, /"outcome":"tool_error"/)
    })
  }

  test('is not there', async () => {
    const document = documentWith('http://127.0.0.1:1', { '/x': { get: { operationId: 'getX' } } })
    const gone = await shop.make({ name: 'gone', source: { document } })
    const called = await callTool(gone.endpoint, shop.token, 'getX')
    assert.equal(called.result, 'The API could not be reached: the connection was refused.')
  })

  test('has no address', async () => {
    const document = documentWith('', { '/x': { get: { operationId: 'getX' } } }).replace('"servers":[{"url":""}],', '')
    const nowhere = await shop.make({ name: 'nowhere', source: { document } })
    const called = await callTool(nowhere.endpoint, shop.token, 'getX')
    assert.equal(called.result, 'The API description names no server: set the base URL of the workspace.')
  })

  test('wants a credential that was not set', async () => {
    const source = { url: `${faulty.url}/openapi.json` }
    const unset = await shop.make({ name: 'unset', source, upstream: { auth: { type: 'bearer' } } })
    const before = faulty.seen.length
    const called = await callTool(unset.endpoint, shop.token, 'getEmpty')
    const remedy = 'Set the token, or the params login_url, username and password to log in for one.'
    assert.equal(called.result, `No bearer token is set. ${remedy}`)
    assert.equal(faulty.seen.length, before, 'the call went out without its credential')
  })
})

suite('an API that answers something unusual is passed on', () => {
  test('no content', async () => {
    assert.equal((await callTool(endpoint, shop.token, 'getEmpty')).result, '204 No Content')
  })

  test('a web page and broken JSON: as text, for the model to read', async () => {
    assert.match((await callTool(endpoint, shop.token, 'getHtml')).result, /^<!doctype html>/)
    const broken = await callTool(endpoint, shop.token, 'getNotJson')
    assert.deepEqual({ isError: broken.isError, result: broken.result }, { isError: false, result: '{"items": [1, 2' })
  })

  test('an image: as an image', async () => {
    const called = await callTool(endpoint, shop.token, 'getImage')
    assert.match(called.text, /"type":"image","data":"[A-Za-z0-9+/=]+","mimeType":"image\/png"/)
  })
})

suite('while an API is slow', () => {
  test('others are served, and whoever goes away takes the call along', async () => {
    const document = documentWith(faulty.url, { '/slow': { get: { operationId: 'getSlow' } } })
    const slow = await shop.make({ name: 'slow', source: { document } })
    const earlier = faulty.seen.filter(({ path }) => path === '/slow').length
    const leaving = new AbortController()
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'getSlow', arguments: {} } }
    const { token } = shop
    const waiting = Array.from({ length: 20 }, () => post(slow.endpoint, message, { token, signal: leaving.signal }))
    const ended = Promise.allSettled(waiting)
    // Served while the twenty wait: none of them can end before it is released or left.
    await shop.assertOthersAreServed()
    leaving.abort()
    for (const one of await ended) assert.equal(one.status, 'rejected')
    const arrived = faulty.seen.filter(({ path }) => path === '/slow').slice(earlier)
    for (const call of arrived) assert.equal(await call.ended, 'cut')
    await shop.assertOthersAreServed()
  })
})

suite('arguments that do not fit are refused before the call, in words that a model can act on:', () => {
  const schema = {
    type: 'object',
    required: ['name', 'kind'],
    properties: {
      name: { type: 'string', minLength: 1 },
      kind: { enum: ['a', 'b'] },
      count: { type: 'integer', minimum: 1 },
      code: { type: 'string', pattern: '^[A-Z]{3}$' },
      day: { type: 'string', format: 'date' },
      tags: { type: 'array', items: { type: 'string' }, maxItems: 2 },
    },
  }
  const good = { name: 'x', kind: 'a' }
  const cases: readonly { readonly name: string; readonly args: unknown; readonly says: string | RegExp }[] = [
    { name: 'one is missing', args: { kind: 'a' }, says: '"name" is required.' },
    { name: 'all are missing', args: undefined, says: '"name" is required; "kind" is required.' },
    { name: 'of another type', args: { ...good, name: 7 }, says: '"name" must be string.' },
    { name: 'a number as a text', args: { ...good, count: '7' }, says: '"count" must be integer.' },
    { name: 'not one of the values', args: { ...good, kind: 'c' }, says: '"kind" must be one of "a", "b".' },
    { name: 'too small', args: { ...good, count: 0 }, says: '"count" must be >= 1.' },
    { name: 'not in the form', args: { ...good, code: 'abc' }, says: '"code" must match the pattern ^[A-Z]{3}$.' },
    { name: 'no date', args: { ...good, day: 'tomorrow' }, says: '"day" must match format "date".' },
    { name: 'too many', args: { ...good, tags: ['a', 'b', 'c'] }, says: '"tags" must NOT have more than 2 items.' },
    { name: 'deep inside', args: { ...good, tags: ['a', 7] }, says: '"tags.1" must be string.' },
    {
      name: 'unknown',
      args: { ...good, nam: 'x' },
      says: '"nam" is not an argument of this tool; it takes name, kind, count, code, day, tags.',
    },
  ]
  for (const { name, args, says } of cases) {
    test(name, async () => {
      await using upstream = await startRecordingApi()
      const content = { 'application/json': { schema } }
      const paths = { '/things': { post: { operationId: 'makeThing', requestBody: { required: true, content } } } }
      const made = await shop.make({ name: 'arguments', source: { document: documentWith(upstream.url, paths) } })
      const params = { name: 'makeThing', ...(args === undefined ? {} : { arguments: args }) }
      const answer = await post(made.endpoint, { jsonrpc: '2.0', id: 1, method: 'tools/call', params }, shop)
      const result = at(answer.json, 'result')
      assert.equal(at(result, 'isError'), true, answer.text)
      assert.deepEqual(at(result, 'content'), [{ type: 'text', text: says }])
      assert.equal(upstream.seen.length, 0)
      const corrected = await callTool(made.endpoint, shop.token, 'makeThing', good)
      assert.equal(corrected.isError, false, corrected.result)
    })
  }

  test('no object at all, and an unknown tool: an error of the protocol, with the name', async () => {
    const call = (params: unknown) => post(endpoint, { jsonrpc: '2.0', id: 1, method: 'tools/call', params }, shop)
    const list = await call({ name: 'getEmpty', arguments: [] })
    assert.match(list.text, /"code":-32602,"message":"Invalid params: arguments must be an object\."/)
    const unknown = await call({ name: 'getEmtpy' })
    assert.match(unknown.text, /"code":-32602,"message":"Unknown tool: getEmtpy"/)
  })
})
