import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { startFaultyApi } from './faulty-api.ts'

function get(url: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  httpRequest(url, resolve).on('error', reject).end()
  return promise
}

test('/slow answers when the test says so, and notices a client that goes away', async () => {
  await using api = await startFaultyApi()
  const answer = fetch(`${api.url}/slow`)
  const seen = await api.arrival('/slow')
  api.releaseSlow()
  assert.deepEqual(await (await answer).json(), { late: true })
  assert.equal(await seen.ended, 'answered')

  const impatient = new AbortController()
  const cut = fetch(`${api.url}/login/slow`, { method: 'POST', signal: impatient.signal })
  const arrived = await api.arrival('/login/slow')
  impatient.abort()
  await assert.rejects(cut, { name: 'AbortError' })
  assert.equal(await arrived.ended, 'cut')
})

test('/huge sends more than anybody wants, until they go away', async () => {
  await using api = await startFaultyApi()
  const answer = await get(`${api.url}/huge`)
  let bytes = 0
  for await (const chunk of answer) {
    bytes += chunk.length
    if (bytes > 5_000_000) break
  }
  assert.equal(await (await api.arrival('/huge')).ended, 'cut')
})

test('/drop breaks the connection before the head, /half after it', async () => {
  await using api = await startFaultyApi()
  await assert.rejects(get(`${api.url}/drop`), { code: 'ECONNRESET' })
  const half = await get(`${api.url}/half`)
  assert.equal(half.headers['content-length'], '1000')
  await assert.rejects(half.toArray(), { code: 'ECONNRESET' })
})

const answers = [
  { path: '/empty', status: 204, body: '' },
  { path: '/limited', status: 429, header: ['retry-after', '7'], body: /TOO_MANY_REQUESTS/ },
  { path: '/broken', status: 500, header: ['content-type', 'application/json; charset=utf-8'], body: /BROKEN/ },
  { path: '/html', status: 200, header: ['content-type', 'text/html; charset=utf-8'], body: /<!doctype html>/ },
  { path: '/redirect', status: 302, header: ['location', 'http://other.example/redirected'], body: '' },
  { path: '/not-json', status: 200, header: ['content-type', 'application/json'], body: '{"items": [1, 2' },
  { path: '/image', status: 200, header: ['content-type', 'image/png'], body: /^.PNG/ },
  { path: '/login/html', status: 200, header: ['content-type', 'text/html; charset=utf-8'], body: /<!doctype html>/ },
  { path: '/login/no-token', status: 200, body: '{"welcome":"you"}' },
  { path: '/login/wrong', status: 401, body: /INVALID_CREDENTIALS/ },
  { path: '/login/redirect', status: 302, header: ['location', 'http://other.example/login'], body: '' },
  { path: '/login/snake', status: 200, body: /"access_token":"[^"]+","refresh_token":"[^"]+","expires_in":900/ },
  { path: '/login/echo', status: 400, body: /hunter2/ },
  { path: '/constructor', status: 404, body: /NOT_FOUND/ },
] as const
for (const { path, status, body, ...rest } of answers) {
  test(`${path} answers ${status} as promised`, async () => {
    await using api = await startFaultyApi({ redirectTo: 'http://other.example' })
    const login = path.startsWith('/login') && { method: 'POST', body: '{"username":"a","password":"hunter2"}' }
    const response = await fetch(api.url + path, { redirect: 'manual', ...login })
    assert.equal(response.status, status)
    if ('header' in rest) assert.equal(response.headers.get(rest.header[0]), rest.header[1])
    const text = await response.text()
    if (typeof body === 'string') assert.equal(text, body)
    else assert.match(text, body)
  })
}

test('the document names a path for every fault, and requests are kept with their headers', async () => {
  await using api = await startFaultyApi()
  const response = await fetch(`${api.url}/openapi.json`, { headers: { 'x-probe': 'yes' } })
  const document: unknown = await response.json()
  assert.deepEqual(Object(document).servers, [{ url: api.origin }])
  const paths = Object.entries<{ get: { operationId: string } }>(Object(document).paths)
  assert.deepEqual(
    paths.map(([path, { get }]) => `${get.operationId} ${path}`),
    [
      'getSlow /slow',
      'getHuge /huge',
      'getDrop /drop',
      'getHalf /half',
      'getEmpty /empty',
      'getLimited /limited',
      'getBroken /broken',
      'getHtml /html',
      'getRedirect /redirect',
      'getNotJson /not-json',
      'getImage /image',
    ],
  )
  const [seen] = api.seen
  assert.deepEqual([seen?.method, seen?.path, seen?.headers['x-probe']], ['GET', '/openapi.json', 'yes'])
})
