import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import fc from 'fast-check'
import * as z from 'zod'
import { GatewayError } from '../errors.ts'
import { apiErrorAnswer } from '../http/error-response.ts'
import { send, serveExchanges, type TestRequest } from '../http/http.test-support.ts'
import { createFailedAuthLimit } from '../limits/failed-auth.ts'
import { authenticate } from './authenticate.ts'
import { type Gate, matchPath, openRoute, type Route, route, runRoute } from './routes.ts'

const ADMIN_KEY = 'the-admin-key-of-this-installation'
const things = { path: '/api/things' } as const
const thingBody = z.strictObject({ name: z.string().min(3), secret: z.string().length(20).optional() })
let calls = 0

const routes: readonly Route[] = [
  openRoute({
    method: 'GET',
    path: '/api/open',
    summary: '',
    needs: 'nobody',
    status: 200,
    handle: async () => ({ open: true }),
  }),
  route({
    ...things,
    method: 'GET',
    summary: '',
    needs: 'read',
    status: 200,
    query: z.strictObject({ limit: z.coerce.number().int().max(10).default(5), kind: z.enum(['a', 'b']).optional() }),
    handle: async ({ query }) => query,
  }),
  route({
    ...things,
    method: 'POST',
    summary: '',
    needs: 'read',
    status: 201,
    body: thingBody,
    handle: async ({ body }) => {
      calls += 1
      return body
    },
  }),
  route({
    method: 'POST',
    path: '/api/things/{id}/import',
    summary: '',
    needs: 'read',
    status: 200,
    body: z.strictObject({ url: z.string() }).optional(),
    handle: async ({ params, body }) => ({ params, body: body ?? null }),
  }),
  route({
    method: 'DELETE',
    path: '/api/things/{id}',
    summary: '',
    needs: 'read',
    status: 204,
    handle: async () => undefined,
  }),
]

const failedAuth = createFailedAuthLimit({ max: 1_000, windowMs: 60_000 })
const account = { id: 'a', slug: 'default', name: 'Default', createdAt: 1 }
const gate: Gate = {
  authenticate: (exchange) =>
    authenticate(exchange, {
      adminKey: ADMIN_KEY,
      failedAuth,
      signIns: { find: async () => undefined },
      cookieName: 'gatehouse',
    }),
  enter: async () => ({ account, standing: 'operator', isNamed: false }),
}
const server = await serveExchanges({ after }, async (exchange) => {
  try {
    await runRoute(routes, exchange, { gate, publicUrl: 'https://gate.example' })
  } catch (error) {
    exchange.send(apiErrorAnswer(error))
  }
})

const ADMIN = { authorization: `Bearer ${ADMIN_KEY}` }
const JSON_TYPE = { 'content-type': 'application/json' }

async function call(
  path: string,
  request: TestRequest = {},
): Promise<{ status: number; body: unknown; allow: string | undefined }> {
  const { method = 'GET', headers, body } = request
  const sent = { ...ADMIN, ...(body === undefined ? {} : JSON_TYPE), ...headers }
  const answer = await send(server, { method, path, headers: sent, ...(body === undefined ? {} : { body }) })
  return {
    status: answer.status,
    body: answer.text === '' ? undefined : JSON.parse(answer.text),
    allow: answer.headers.allow,
  }
}

async function statusOf(path: string, request: TestRequest = {}): Promise<number> {
  return (await call(path, request)).status
}

suite('the admin credential', () => {
  const refused = [
    ['none', {}],
    ['an empty one', { authorization: '' }],
    ['another key', { authorization: 'Bearer another-key' }],
    ['the key with something behind it', { authorization: `Bearer ${ADMIN_KEY} x` }],
    ['a part of the key', { authorization: `Bearer ${ADMIN_KEY.slice(0, -1)}` }],
    ['the key in another case', { authorization: `Bearer ${ADMIN_KEY.toUpperCase()}` }],
    ['the key without a scheme', { authorization: ADMIN_KEY }],
    ['the key as a user', { authorization: `Basic ${Buffer.from(`:${ADMIN_KEY}`).toString('base64')}` }],
    ['two keys', { authorization: [`Bearer ${ADMIN_KEY}`, `Bearer ${ADMIN_KEY}`] }],
    ['the key in a cookie', { cookie: `authorization=Bearer ${ADMIN_KEY}` }],
    ['the key in X-API-Key', { 'x-api-key': ADMIN_KEY }],
  ] as const
  for (const [name, headers] of refused) {
    test(`${name} opens nothing`, async () => {
      const given = { authorization: '', ...headers }
      for (const path of ['/api/things', '/api/nothing', '/api/things/1']) {
        const { authorization, ...rest } = given
        const sent = Array.isArray(authorization)
          ? { ...rest, authorization: [...authorization] }
          : { ...rest, authorization: `${authorization}` }
        const answer = await send(server, { method: 'GET', path, headers: sent })
        assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'Bearer'])
        assert.doesNotMatch(answer.text, new RegExp(ADMIN_KEY))
      }
    })
  }

  test('opens everything, with any case of the scheme', async () => {
    assert.equal(await statusOf('/api/things', { headers: { authorization: `bearer  ${ADMIN_KEY}` } }), 200)
  })

  test('in the query opens nothing', async () => {
    const answer = await send(server, { method: 'GET', path: `/api/things?access_token=${ADMIN_KEY}` })
    assert.equal(answer.status, 401)
  })

  test('is not asked for what is open', async () => {
    assert.equal((await send(server, { method: 'GET', path: '/api/open' })).status, 200)
    // The same path by another method is not open.
    assert.equal((await send(server, { method: 'POST', path: '/api/open' })).status, 401)
  })

  test('is asked for before the body is read', async () => {
    const before = calls
    const body = JSON.stringify({ name: 'a thing' })
    assert.equal((await send(server, { path: '/api/things', headers: JSON_TYPE, body })).status, 401)
    assert.equal(calls, before)
  })
})

suite('a route', () => {
  test('that is not there is 404, one of another method 405 with those it takes', async () => {
    assert.equal(await statusOf('/api/nothing'), 404)
    const { status, allow } = await call('/api/things', { method: 'PUT' })
    assert.deepEqual([status, allow], [405, 'GET, POST'])
  })

  test('answers with its status, and with no body where it has none', async () => {
    const made = await call('/api/things', { method: 'POST', body: '{"name":"thing"}' })
    assert.deepEqual([made.status, made.body], [201, { name: 'thing' }])
    const gone = await call('/api/things/1', { method: 'DELETE' })
    assert.deepEqual([gone.status, gone.body], [204, undefined])
  })

  test('gets its query parsed, and refuses what it does not know', async () => {
    assert.deepEqual((await call('/api/things?limit=7&kind=a')).body, { limit: 7, kind: 'a' })
    assert.deepEqual((await call('/api/things')).body, { limit: 5 })
    for (const query of ['limit=11', 'limit=x', 'kind=c', 'other=1', '__proto__=1']) {
      assert.equal(await statusOf(`/api/things?${query}`), 400, query)
    }
  })

  test('gets the values of its path as they were sent', async () => {
    const { body } = await call('/api/things/a%2F..%2Fb/import', { method: 'POST' })
    assert.deepEqual(body, { params: { id: 'a%2F..%2Fb' }, body: null })
  })

  const bodies = [
    ['no JSON', '{', 400],
    ['nothing, where one is needed', '', 400],
    ['a list', '[]', 400],
    ['an unknown key', '{"name":"thing","x":1}', 400],
    ['a wrong type', '{"name":1}', 400],
    ['another __proto__', '{"name":"thing","__proto__":{"a":1}}', 400],
  ] as const
  for (const [name, body, status] of bodies) {
    test(`refuses a body with ${name}`, async () =>
      assert.equal(await statusOf('/api/things', { method: 'POST', body }), status))
  }

  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=a',
    'application/jsonx',
    '',
  ]) {
    test(`refuses a body as "${type}": another site’s page may send that unasked`, async () => {
      const request = { method: 'POST', headers: { 'content-type': type }, body: '{"name":"thing"}' }
      assert.equal(await statusOf('/api/things', request), 415)
    })
  }

  test('says what is wrong with a body, and never the value', async () => {
    const body = JSON.stringify({ name: 'x', secret: 'CANARY' })
    const { status, body: problem } = await call('/api/things', { method: 'POST', body })
    assert.equal(status, 400)
    assert.match(JSON.stringify(problem), /name: .*secret: /)
    assert.doesNotMatch(JSON.stringify(problem), /CANARY/)
  })

  test('may do without a body that is optional', async () => {
    assert.deepEqual((await call('/api/things/1/import', { method: 'POST' })).body, { params: { id: '1' }, body: null })
  })

  test('refuses a body that is too large', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(2000) })
    assert.equal(await statusOf('/api/things', { method: 'POST', body }), 413)
  })
})

suite('matchPath', () => {
  test('matches segment by segment', () => {
    assert.deepEqual(matchPath('/api/a/{id}/b', '/api/a/1/b'), { id: '1' })
    for (const path of [
      '/api/a/1',
      '/api/a/1/b/',
      '/api/a/1/c',
      '/api/a/1/b/c',
      '/api//1/b',
      'api/a/1/b',
      '/api/a/1/B',
    ]) {
      assert.equal(matchPath('/api/a/{id}/b', path), undefined, path)
    }
  })

  test('gives back what was put in, for any value without a slash', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => !text.includes('/')),
        (text) => {
          assert.deepEqual(matchPath('/api/a/{id}', `/api/a/${text}`), { id: text })
        },
      ),
    )
  })
})

test('a handler’s own error is told in its terms, a defect as a bare 500', async () => {
  const failing: readonly Route[] = [
    route({
      method: 'GET',
      path: '/api/fail',
      summary: '',
      needs: 'read',
      status: 200,
      handle: async () => {
        throw new GatewayError('conflict', 'There is one already.', { cause: 'CANARY' })
      },
    }),
    route({
      method: 'GET',
      path: '/api/defect',
      summary: '',
      needs: 'read',
      status: 200,
      handle: async () => {
        throw new TypeError('CANARY')
      },
    }),
  ]
  const closing: (() => void)[] = []
  const own = await serveExchanges({ after: (close) => closing.push(close) }, (exchange) =>
    runRoute(failing, exchange, { gate, publicUrl: '' }).catch((error: unknown) =>
      exchange.send(apiErrorAnswer(error)),
    ),
  )
  const conflict = await send(own, { method: 'GET', path: '/api/fail', headers: ADMIN })
  const defect = await send(own, { method: 'GET', path: '/api/defect', headers: ADMIN })
  for (const close of closing) close()
  assert.deepEqual([conflict.status, defect.status], [409, 500])
  assert.doesNotMatch(conflict.text + defect.text, /CANARY/)
})
