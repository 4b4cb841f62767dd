import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ctx, failure, onStage, type Received, type Reply, SECRETS, seedAnswer } from './login-flow.test-support.ts'

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
