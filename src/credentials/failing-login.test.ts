import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ctx, failure, onStage, type Received, type Reply, seedAnswer } from './login-flow.test-support.ts'

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

  test('that may be a wrong password rests as long, however the API says so', async () => {
    const ways: readonly Reply[] = [
      ...[400, 401, 403, 422].map((status) => ({ status })),
      { status: 200, body: { success: false, message: 'canary: wrong password' } },
    ]
    for (const reply of ways) {
      await onStage({ reply: () => reply }, async ({ flow, clock, received }) => {
        for (let second = 0; second < 900; second += 1) {
          await failure(flow.token(ctx))
          clock.now += 1000
        }
        // Fewer than the five in 15 minutes at which common rules lock an account.
        assert.equal(received.length, 4, JSON.stringify(reply))
      })
    }
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

  test('fails no call while the token that it should follow is good', async () => {
    let isDown = false
    const reply = (one: Received, count: number) => (isDown ? { status: 503 } : seedAnswer(one, count))
    await onStage({ reply }, async ({ flow, clock, received }) => {
      assert.equal(await flow.token(ctx), 'at-1')
      isDown = true
      clock.now += 870_000
      assert.equal(await flow.token(ctx), 'at-1')
      assert.equal(await flow.token(ctx), 'at-1')
      assert.deepEqual(
        received.map(({ path }) => path.split('?', 1).join()),
        ['/auth/login', '/auth/refresh', '/auth/login'],
      )
      clock.now += 29_999
      assert.equal(await flow.token(ctx), 'at-1')
      clock.now += 1
      assert.match((await failure(flow.token(ctx))).message, /503/)
      isDown = false
      clock.now += 60_000
      assert.equal(await flow.token(ctx), 'at-5')
    })
  })

  test('fails the call whose token the API has refused, whatever end it had', async () => {
    await onStage({ reply: (one, count) => (count === 1 ? seedAnswer(one, 1) : { status: 503 }) }, async ({ flow }) => {
      await flow.token(ctx)
      assert.match((await failure(flow.renew(ctx, 'at-1'))).message, /503/)
      assert.match((await failure(flow.token(ctx))).message, /503/)
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
