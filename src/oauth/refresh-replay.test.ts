import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { suite, test } from 'node:test'
import {
  type HeldAnswer,
  PERSON,
  startTokenEndpoint,
  type TokenEndpoint,
  type TokenReply,
  tokenFields,
} from './token-endpoint.test-support.ts'

const SECOND = 1_000
const DAY = 86_400_000

/** A clock that begins at the library's own, and can be moved on. */
class MovingClock {
  #aheadMs = 0
  readonly now = () => Date.now() + this.#aheadMs
  advance(ms: number): void {
    this.#aheadMs += ms
  }
}

async function signedIn(endpoint: TokenEndpoint): Promise<TokenReply> {
  const reply = await endpoint.redeem(await endpoint.makeCode())
  assert.equal(reply.status, 200, reply.text)
  return reply
}

/** Holds back answers, so that the client can be gone before one leaves. */
class Hold {
  readonly #arrived = Promise.withResolvers<HeldAnswer>()
  readonly #released = Promise.withResolvers<void>()
  isOn = false
  readonly beforeCommit = (answer: HeldAnswer) => {
    if (!this.isOn) return
    this.#arrived.resolve(answer)
    return this.#released.promise
  }

  /** Sends a refresh and hangs up once the library has answered. Gives the answer that the client never got. */
  async refreshAndHangUp(endpoint: TokenEndpoint, refreshToken: string): Promise<Omit<TokenReply, 'status' | 'text'>> {
    this.isOn = true
    const sent = sendRefresh(endpoint, refreshToken)
    const { body, res } = await this.#arrived.promise
    const closed = once(res, 'close')
    sent.destroy()
    await closed
    this.isOn = false
    this.#released.resolve()
    await endpoint.idle()
    return tokenFields(body)
  }
}

function sendRefresh(endpoint: TokenEndpoint, refreshToken: string): ClientRequest {
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'app', refresh_token: refreshToken })
  const sent = request(`${endpoint.url}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  sent.on('error', () => {})
  sent.end(body.toString())
  return sent
}

suite('a refresh', () => {
  test('rotates the refresh token, and the new one works', async () => {
    await using endpoint = await startTokenEndpoint()
    const first = await signedIn(endpoint)
    const second = await endpoint.refresh(first.refreshToken)
    const third = await endpoint.refresh(second.refreshToken)
    assert.deepEqual([second.status, third.status], [200, 200])
    assert.equal(new Set([first.refreshToken, second.refreshToken, third.refreshToken]).size, 3)
  })

  test('of 20 at once with one token gives all of them the same answer, and the session goes on', async () => {
    await using endpoint = await startTokenEndpoint()
    const { refreshToken } = await signedIn(endpoint)
    const replies = await Promise.all(Array.from({ length: 20 }, () => endpoint.refresh(refreshToken)))
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200])
    assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
    assert.equal((await endpoint.refresh(replies[0]?.refreshToken ?? '')).status, 200)
  })

  test('that lost the race for the commit answers what the winner answered, and keeps nothing of its own', async () => {
    // Both have made their own tokens before either keeps anything.
    let waiting = 0
    const both = Promise.withResolvers<void>()
    const beforeCommit = () => {
      if (!isRacing) return
      waiting += 1
      if (waiting === 2) both.resolve()
      return both.promise
    }
    let isRacing = false
    await using endpoint = await startTokenEndpoint({ beforeCommit })
    const { refreshToken } = await signedIn(endpoint)
    isRacing = true
    const [left, right] = await Promise.all([endpoint.refresh(refreshToken), endpoint.refresh(refreshToken)])
    isRacing = false
    assert.equal(waiting, 2)
    assert.equal(left.status, 200)
    assert.equal(left.text, right.text)
    assert.equal((await endpoint.refresh(left.refreshToken)).status, 200)
  })

  test('is answered again within 30 seconds, and after that it ends the session for everybody who has a token', async () => {
    const clock = new MovingClock()
    await using endpoint = await startTokenEndpoint(clock)
    const first = await signedIn(endpoint)
    const second = await endpoint.refresh(first.refreshToken)
    clock.advance(29 * SECOND)
    assert.equal((await endpoint.refresh(first.refreshToken)).text, second.text)
    assert.equal(endpoint.isRevoked(second.accessToken), false)
    clock.advance(2 * SECOND)
    const reused = await endpoint.refresh(first.refreshToken)
    assert.deepEqual([reused.status, reused.error], [400, 'invalid_grant'])
    const family = await endpoint.refresh(second.refreshToken)
    assert.deepEqual([family.status, family.error], [400, 'invalid_grant'])
    assert.equal(endpoint.isRevoked(second.accessToken), true)
  })

  test('whose answer was never delivered is answered again days later, with a shorter life', async () => {
    const clock = new MovingClock()
    const hold = new Hold()
    await using endpoint = await startTokenEndpoint({ ...clock, ...hold })
    const first = await signedIn(endpoint)
    await hold.refreshAndHangUp(endpoint, first.refreshToken)
    clock.advance(3 * DAY)
    const late = await Promise.all(Array.from({ length: 5 }, () => endpoint.refresh(first.refreshToken)))
    assert.deepEqual([...new Set(late.map(({ status }) => status))], [200], late[0]?.text)
    assert.equal(new Set(late.map(({ refreshToken }) => refreshToken)).size, 1)
    assert.match(late[0]?.text ?? '', /"expires_in":0\b/)
    // It was delivered now, so the time runs.
    clock.advance(31 * SECOND)
    assert.equal((await endpoint.refresh(first.refreshToken)).status, 400)
  })

  test('whose successor was used was delivered, whatever became of the mark', async () => {
    const clock = new MovingClock()
    const hold = new Hold()
    await using endpoint = await startTokenEndpoint({ ...clock, ...hold })
    const first = await signedIn(endpoint)
    const second = await hold.refreshAndHangUp(endpoint, first.refreshToken)
    // As if the answer had arrived, and the process had died before it could note that.
    assert.equal((await endpoint.refresh(second.refreshToken)).status, 200)
    clock.advance(31 * SECOND)
    assert.equal((await endpoint.refresh(first.refreshToken)).status, 400)
    assert.equal(endpoint.isRevoked(second.accessToken), true)
  })

  test('for another resource than the one that was answered is refused, and ends nothing', async () => {
    await using endpoint = await startTokenEndpoint()
    const first = await signedIn(endpoint)
    const second = await endpoint.refresh(first.refreshToken, { resource: endpoint.resource })
    const other = await endpoint.refresh(first.refreshToken, { resource: `${endpoint.url}/else` })
    assert.deepEqual([other.status, other.error], [400, 'invalid_grant'])
    assert.equal((await endpoint.refresh(second.refreshToken)).status, 200)
  })

  test('that fails after the token was consumed may be tried again', async () => {
    await using endpoint = await startTokenEndpoint()
    const { refreshToken } = await signedIn(endpoint)
    const failed = await endpoint.refresh(refreshToken, { resource: 'https://elsewhere.example/' })
    assert.equal(failed.status, 400)
    assert.equal((await endpoint.refresh(refreshToken)).status, 200)
  })

  test('by another client is refused, and neither answered nor taken for theft', async () => {
    await using endpoint = await startTokenEndpoint()
    const first = await signedIn(endpoint)
    const second = await endpoint.refresh(first.refreshToken)
    for (const token of [first.refreshToken, second.refreshToken]) {
      const stolen = await endpoint.refresh(token, { client_id: 'other' })
      assert.deepEqual([stolen.status, stolen.error], [400, 'invalid_grant'])
    }
    assert.equal((await endpoint.refresh(second.refreshToken)).status, 200)
  })

  test('with a token that nobody knows says that there is no such session (C12)', async () => {
    await using endpoint = await startTokenEndpoint()
    const reply = await endpoint.refresh('a token that nobody has given out')
    assert.deepEqual(
      [reply.status, reply.error, reply.description],
      [400, 'invalid_grant', 'Session not found. Sign in again.'],
    )
  })
})

suite('a grant', () => {
  test('is listed for its person, and once revoked it refuses refresh and access tokens', async () => {
    await using endpoint = await startTokenEndpoint()
    const { accessToken, refreshToken } = await signedIn(endpoint)
    const { grants } = endpoint.storage
    const [app, ...more] = await grants.ofPerson(PERSON)
    assert.deepEqual([app?.clientId, app?.resources, more], ['app', { [endpoint.resource]: 'mcp' }, []])
    assert.deepEqual(await grants.ofPerson('somebody else'), [])
    assert.deepEqual(await grants.ofClient('app'), [app])
    assert.equal(endpoint.isRevoked(accessToken), false)
    await grants.revoke(app?.grantId ?? '')
    assert.equal(endpoint.isRevoked(accessToken), true)
    assert.equal((await endpoint.refresh(refreshToken)).status, 400)
    assert.deepEqual(await grants.ofPerson(PERSON), [])
  })

  for (const what of ['Person', 'Client'] as const) {
    test(`is revoked with everything of its ${what.toLowerCase()}, and others' are not`, async () => {
      await using endpoint = await startTokenEndpoint()
      const mine = [await signedIn(endpoint), await signedIn(endpoint)]
      const otherCode = await endpoint.makeCode({ clientId: 'other', person: 'bob' })
      const { grants, units } = endpoint.storage
      // Within a request, as from a page.
      await units.serve(() => (what === 'Person' ? grants.revokePerson(PERSON) : grants.revokeClient('app')))
      for (const { accessToken, refreshToken } of mine) {
        assert.equal(endpoint.isRevoked(accessToken), true)
        assert.equal((await endpoint.refresh(refreshToken)).status, 400)
      }
      assert.equal((await endpoint.storage.grants.ofPerson('bob')).length, 1)
      assert.ok(otherCode.code)
    })
  }

  test('that a client revokes at the endpoint takes its access tokens along (RFC 7009 §2.1)', async () => {
    await using endpoint = await startTokenEndpoint()
    const { accessToken, refreshToken } = await signedIn(endpoint)
    const body = { client_id: 'app', token: refreshToken, token_type_hint: 'refresh_token' }
    assert.equal((await endpoint.post(body, '/token/revocation')).status, 200)
    assert.equal(endpoint.isRevoked(accessToken), true)
    assert.equal((await endpoint.refresh(refreshToken)).status, 400)
  })
})
