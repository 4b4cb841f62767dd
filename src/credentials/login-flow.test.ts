import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { suite, test } from 'node:test'
import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'
import type { RecordLine } from '../records/record.ts'
import { loginSettings } from '../workspaces/settings.ts'
import { createLoginFlow, type LoginFlow } from './login-flow.ts'

const SECRETS = { username: 'canary-user-51', password: 'canary-password-52', tenant: 'canary-tenant-53' }

interface Received {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

interface Reply {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** A login server that answers as it is told, a flow against it, and everything that both saw. */
interface Stage {
  readonly flow: LoginFlow
  readonly received: Received[]
  readonly records: RecordLine[]
  readonly clock: { now: number }
}

interface Script {
  readonly reply: (received: Received, count: number) => Reply | Promise<Reply>
  readonly settings?: unknown
  readonly params?: Record<string, string>
  readonly timeoutMs?: number
}

async function onStage(script: Script, run: (stage: Stage) => Promise<void>): Promise<void> {
  const received: Received[] = []
  const records: RecordLine[] = []
  const clock = { now: 1_700_000_000_000 }
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const one = { path: request.url ?? '', headers: request.headers, body }
    received.push(one)
    const { status = 200, headers = {}, body: answer = {} } = await script.reply(one, received.length)
    response.writeHead(status, headers).end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const egress = createEgress()
  const { timeoutMs } = script
  const flow = createLoginFlow({
    settings: loginSettings.parse(script.settings ?? {}),
    params: {
      login_url: `http://127.0.0.1:${address.port}/auth/login?from=canary-query`,
      ...SECRETS,
      ...script.params,
    },
    egress,
    reach: 'operator',
    now: () => clock.now,
    writeRecord: (line) => records.push(line),
    workspace: { id: 'abc', slug: 'shop' },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  try {
    await run({ flow, received, records, clock })
    const told = JSON.stringify(records)
    for (const canary of ['canary', 'at-', 'rt-']) assert.ok(!told.includes(canary), `a record holds ${canary}`)
  } finally {
    server.closeAllConnections()
    server.close()
    await egress.close()
  }
}

async function failure(promise: Promise<unknown> | unknown): Promise<GatewayError> {
  const error = await Promise.resolve(promise).then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof GatewayError, String(error))
  assert.ok(!error.message.includes('canary'), error.message)
  return error
}

const ctx = { requestId: 'req-1' }
const seedAnswer = (_: Received, count: number) => ({
  body: { accessToken: `at-${count}`, refreshToken: `rt-${count}`, expiresIn: 900 },
})

suite('the login', () => {
  test('posts username and password as JSON and gives the token', async () => {
    await onStage({ reply: seedAnswer }, async ({ flow, received, records }) => {
      assert.equal(await flow.token(ctx), 'at-1')
      const [login] = received
      assert.equal(login?.path, '/auth/login?from=canary-query')
      assert.equal(login?.headers['content-type'], 'application/json')
      assert.equal(login?.headers['x-request-id'], 'req-1')
      assert.deepEqual(JSON.parse(login?.body ?? ''), { username: SECRETS.username, password: SECRETS.password })
      assert.equal(records.length, 1)
      assert.partialDeepStrictEqual(records[0], {
        ...{ requestId: 'req-1', kind: 'login', method: 'POST /auth/login', outcome: 'ok' },
        ...{ status: 200, upstreamStatus: 200, workspaceId: 'abc', workspace: 'shop' },
      })
    })
  })

  test('is shared by 50 parallel first calls (D7)', async () => {
    await onStage({ reply: seedAnswer }, async ({ flow, received }) => {
      const tokens = await Promise.all(Array.from({ length: 50 }, () => flow.token(ctx)))
      assert.deepEqual(new Set(tokens), new Set(['at-1']))
      assert.equal(received.length, 1)
    })
  })

  test('gives the kept token without a promise', async () => {
    await onStage({ reply: seedAnswer }, async ({ flow }) => {
      await flow.token(ctx)
      assert.equal(flow.token(ctx), 'at-1')
    })
  })

  test('takes other bodies, headers, forms and places from the settings', async () => {
    const settings = {
      body: { user: { name: '{{username}}' }, tenant: 't-{{tenant}}' },
      headers: { 'X-Tenant': '{{tenant}}', accept: 'text/plain' },
      contentType: 'form',
      accessToken: '/data/tokens/0',
      refreshToken: '/data/again',
      expiresIn: '/data/ttl',
    }
    const reply = () => ({ body: { data: { tokens: ['at-deep'], again: 'rt-deep', ttl: '100' } } })
    await onStage({ reply, settings }, async ({ flow, received, clock }) => {
      assert.equal(await flow.token(ctx), 'at-deep')
      const form = new URLSearchParams(received[0]?.body)
      assert.equal(form.get('tenant'), `t-${SECRETS.tenant}`)
      assert.deepEqual(JSON.parse(form.get('user') ?? ''), { name: SECRETS.username })
      assert.equal(received[0]?.headers['x-tenant'], SECRETS.tenant)
      assert.equal(received[0]?.headers.accept, 'text/plain')
      clock.now += 70_001
      await flow.token(ctx)
      assert.equal(new URLSearchParams(received[1]?.body).get('refreshToken'), 'rt-deep')
    })
  })

  test('a caller who leaves does not end the login of the others', async () => {
    const gate = Promise.withResolvers<Reply>()
    await onStage({ reply: () => gate.promise }, async ({ flow, received }) => {
      const leaving = new AbortController()
      const left = flow.token({ requestId: 'req-2', signal: leaving.signal })
      const stays = flow.token(ctx)
      leaving.abort()
      assert.equal((await failure(left)).code, 'cancelled')
      gate.resolve({ body: { token: 'at-1' } })
      assert.equal(await stays, 'at-1')
      assert.equal(received.length, 1)
      assert.equal((await failure(flow.renew({ ...ctx, signal: leaving.signal }, 'at-1'))).code, 'cancelled')
    })
  })
})

suite('a token is kept', () => {
  const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.at-sig`
  const start = 1_700_000_000
  const cases = [
    { name: 'until 30 s before its expiry', answer: { accessToken: 'at-1', expiresIn: 900 }, keptMs: 870_000 },
    { name: 'by expires_in in text', answer: { access_token: 'at-1', expires_in: '120' }, keptMs: 90_000 },
    { name: 'for half its life under 60 s', answer: { token: 'at-1', expiresIn: 35 }, keptMs: 17_500 },
    { name: 'by the exp of the JWT', answer: { jwt: jwt({ exp: start + 600 }) }, keptMs: 570_000 },
    { name: 'by expiresIn before exp', answer: { jwt: jwt({ exp: start + 600 }), expiresIn: 100 }, keptMs: 70_000 },
    { name: 'for 5 minutes less 30 s without any expiry', answer: { token: 'at-1' }, keptMs: 270_000 },
    { name: 'so too when the expiry is no time', answer: { token: 'at-1', expiresIn: '15m' }, keptMs: 270_000 },
    { name: 'so too when the expiry has passed', answer: { jwt: jwt({ exp: start - 5 }) }, keptMs: 270_000 },
  ]
  for (const { name, answer, keptMs } of cases) {
    test(name, async () => {
      await onStage({ reply: () => ({ body: answer }) }, async ({ flow, received, clock }) => {
        await flow.token(ctx)
        clock.now += keptMs - 1
        await flow.token(ctx)
        assert.equal(received.length, 1)
        clock.now += 1
        await flow.token(ctx)
        assert.equal(received.length, 2)
      })
    })
  }
})

suite('the refresh', () => {
  test('goes to refresh beside the login, with the field as the login wrote it, and keeps an old refresh token', async () => {
    const reply = ({ path }: Received, count: number) =>
      path.startsWith('/auth/login')
        ? { body: { access_token: 'at-1', refresh_token: 'rt-1', expires_in: 900 } }
        : { body: { access_token: `at-${count}`, expires_in: 900 } }
    await onStage({ reply }, async ({ flow, received, records, clock }) => {
      assert.equal(await flow.token(ctx), 'at-1')
      for (const expected of ['at-2', 'at-3']) {
        clock.now += 870_000
        assert.equal(await flow.token({ requestId: expected.replace('at', 'req') }), expected)
        const last = received.at(-1)
        assert.equal(last?.path, '/auth/refresh')
        assert.equal(last?.body, '{"refresh_token":"rt-1"}')
      }
      assert.deepEqual(
        records.map(({ kind, method, requestId }) => `${requestId} ${kind} ${method}`),
        ['req-1 login POST /auth/login', 'req-2 refresh POST /auth/refresh', 'req-3 refresh POST /auth/refresh'],
      )
    })
  })

  test('takes refresh_url and refreshBody when they are given, and the new refresh token', async () => {
    const settings = { refreshBody: { grant: 'again', value: '{{refresh_token}}', t: '{{tenant}}' } }
    await onStage({ reply: seedAnswer, settings }, async ({ flow, received, clock }) => {
      await flow.token(ctx)
      for (const [call, token] of ['rt-1', 'rt-2'].entries()) {
        clock.now += 870_000
        await flow.token(ctx)
        assert.deepEqual(JSON.parse(received[call + 1]?.body ?? ''), {
          grant: 'again',
          value: token,
          t: SECRETS.tenant,
        })
      }
    })
  })

  test('that fails is followed by a full login in the same call, and shared (D6)', async () => {
    const reply = (one: Received, count: number) =>
      one.path === '/auth/refresh' ? { status: 401, body: { error: 'canary' } } : seedAnswer(one, count)
    await onStage({ reply }, async ({ flow, records, clock }) => {
      await flow.token(ctx)
      clock.now += 870_000
      const tokens = await Promise.all(Array.from({ length: 20 }, () => flow.token(ctx)))
      assert.deepEqual(new Set(tokens), new Set(['at-3']))
      assert.deepEqual(
        records.map(({ kind, outcome, status }) => `${kind} ${outcome} ${status}`),
        ['login ok 200', 'refresh failed 401', 'login ok 200'],
      )
    })
  })

  test('that hangs leaves time for the login', async () => {
    const reply = (one: Received, count: number) =>
      one.path === '/auth/refresh' ? new Promise<Reply>(() => {}) : seedAnswer(one, count)
    await onStage({ reply, timeoutMs: 600 }, async ({ flow, clock }) => {
      await flow.token(ctx)
      clock.now += 870_000
      assert.equal(await flow.token(ctx), 'at-3')
    })
  })
})

suite('after the API has rejected a token', () => {
  test('one login serves all calls that had it, and late ones get the newer token (D8)', async () => {
    await onStage({ reply: seedAnswer }, async ({ flow, received, records }) => {
      await flow.token(ctx)
      const renewed = await Promise.all(Array.from({ length: 20 }, () => flow.renew(ctx, 'at-1')))
      assert.deepEqual(new Set(renewed), new Set(['at-2']))
      assert.equal(await flow.renew(ctx, 'at-1'), 'at-2')
      assert.equal(flow.token(ctx), 'at-2')
      assert.equal(received.length, 2)
      assert.deepEqual(
        records.map(({ kind }) => kind),
        ['login', 'login'],
      )
    })
  })

  test('an API that rejects every token does not get a login for every call', async () => {
    await onStage({ reply: seedAnswer }, async ({ flow, received, clock }) => {
      for (let call = 0; call < 10; call += 1) await flow.renew(ctx, await flow.token(ctx))
      assert.equal(received.length, 4)
      assert.equal(await flow.renew(ctx, 'at-4'), undefined)
      clock.now += 60_000
      assert.equal(await flow.renew(ctx, 'at-4'), 'at-5')
    })
  })
})

suite('a failing login', () => {
  test('with a wrong password rests, tells so, and the API is not called meanwhile', async () => {
    let isRight = false
    const reply = (one: Received, count: number) =>
      isRight ? seedAnswer(one, count) : { status: 401, body: { error: 'canary-body' } }
    await onStage({ reply }, async ({ flow, received, records, clock }) => {
      const first = await failure(flow.token(ctx))
      assert.equal(first.code, 'login_failed')
      assert.equal(
        first.message,
        'The login to the API failed. The login URL answered 401 Unauthorized. Check the params username and password.',
      )
      for (let call = 0; call < 5; call += 1) {
        const again = await failure(flow.token(ctx))
        assert.equal(again.code, 'login_failed')
        assert.equal(again.message, `${first.message} Next attempt in 60 s.`)
        assert.equal(again.detail.retryAfterSeconds, 60)
      }
      assert.equal(received.length, 1)
      assert.deepEqual([records.length, records[0]?.outcome, records[0]?.code], [1, 'failed', 'login_failed'])
      clock.now += 60_000
      await failure(flow.token(ctx))
      assert.match((await failure(flow.token(ctx))).message, /Next attempt in 120 s/)
      clock.now += 120_000
      isRight = true
      assert.equal(await flow.token(ctx), 'at-3')
    })
  })

  test('that may pass is tried again after 1, 2, 4 … 60 s', async () => {
    await onStage({ reply: () => ({ status: 503 }) }, async ({ flow, clock, received }) => {
      for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
        await failure(flow.token(ctx))
        const before = received.length
        clock.now += seconds * 1000 - 1
        assert.match((await failure(flow.token(ctx))).message, /Next attempt in 1 s\./)
        assert.equal(received.length, before)
        clock.now += 1
      }
    })
  })

  test('waits as long as the API asks for', async () => {
    const reply = () => ({ status: 429, headers: { 'retry-after': '40' } })
    await onStage({ reply }, async ({ flow }) => {
      await failure(flow.token(ctx))
      assert.match((await failure(flow.token(ctx))).message, /429 Too Many Requests.*Next attempt in 40 s\./)
    })
  })

  const answers: readonly { name: string; reply: Reply; message: RegExp }[] = [
    { name: 'a web page', reply: { body: '<!doctype html><p>canary' }, message: /web page.*login_url/ },
    { name: 'no JSON', reply: { body: 'canary OK' }, message: /not JSON.*login_url/ },
    {
      name: 'no token',
      reply: { body: { session: 'canary' } },
      message: /without a token.*accessToken, access_token, token, jwt/,
    },
    { name: 'a token with a line break', reply: { body: { token: 'canary\r\nx: y' } }, message: /cannot be sent/ },
    { name: 'a redirect', reply: { status: 307, headers: { location: '/canary' } }, message: /307.*set login_url/ },
    { name: '400', reply: { status: 400, body: 'canary' }, message: /400 Bad Request.*username and password/ },
    { name: '403', reply: { status: 403 }, message: /403 Forbidden.*username and password/ },
    { name: '404', reply: { status: 404 }, message: /404 Not Found.*login_url/ },
    { name: '500', reply: { status: 500 }, message: /500 Internal Server Error.*does not work/ },
    { name: 'endlessly', reply: { body: `"${'x'.repeat(1_000_001)}"` }, message: /more than the limit of 1 MB/ },
  ]
  for (const { name, reply, message } of answers) {
    test(`that answers ${name} says so, and is called once`, async () => {
      await onStage({ reply: () => reply }, async ({ flow, received }) => {
        const error = await failure(flow.token(ctx))
        assert.equal(error.code, 'login_failed')
        assert.match(error.message, message)
        await failure(flow.token(ctx))
        assert.equal(received.length, 1)
      })
    })
  }

  test('that does not answer ends at its deadline', async () => {
    await onStage({ reply: () => new Promise(() => {}), timeoutMs: 100 }, async ({ flow }) => {
      const error = await failure(flow.token(ctx))
      assert.equal(error.message, 'The login to the API failed. The login URL did not answer within 100 ms.')
    })
  })

  test('names every param that is not set, and calls nobody', async () => {
    const params = { username: '', password: '', tenant: 'x' }
    const settings = { headers: { 'X-Key': '{{login_key}}' } }
    await onStage({ reply: seedAnswer, params, settings }, async ({ flow, received }) => {
      const error = await failure(flow.token(ctx))
      assert.equal(error.code, 'credential_missing')
      assert.match(error.message, /username, password, login_key/)
      assert.equal(received.length, 0)
    })
  })

  const unusable: readonly Record<string, string>[] = [
    { login_url: 'canary' },
    { login_url: 'file:///canary' },
    { login_url: 'http://canary:secret@127.0.0.1/' },
    { refresh_url: 'canary' },
    { login_url: 'http://169.254.169.254/' },
    { login_url: 'http://127.0.0.1:1/' },
  ]
  for (const params of unusable) {
    test(`with the URL ${JSON.stringify(params)} says so without repeating it`, async () => {
      await onStage({ reply: seedAnswer, params }, async ({ flow, received }) => {
        assert.equal((await failure(flow.token(ctx))).code, 'login_failed')
        assert.equal(received.length, 0)
      })
    })
  }
})
