import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { GatewayError } from '../../src/errors.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { redisIsMissing } from '../redis/find-redis.ts'
import { RedisServer } from '../redis/redis-server.ts'
import { at, textAt } from './http.ts'
import { Browser, mcpClient, type OAuthStand, pageOf, signInAndAllow, startOAuthStand } from './oauth-stand.ts'

const REDIRECT = 'http://localhost:7777/callback'

interface Tokens {
  readonly status: number
  readonly body: unknown
}

/** Signs in through the pages. Gives what refreshes the session afterwards. */
async function signInTo({ gateway, endpoint }: OAuthStand) {
  const post = async (path: string, body: URLSearchParams | string): Promise<Tokens> => {
    const headers = typeof body === 'string' ? { 'content-type': 'application/json' } : undefined
    const response = await fetch(gateway.url + path, { method: 'POST', body, ...(headers && { headers }) })
    return { status: response.status, body: await response.json() }
  }
  const registered = await post(
    '/register',
    JSON.stringify({ client_name: 'App', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }),
  )
  const clientId = textAt(registered.body, 'client_id')
  const verifier = randomBytes(32).toString('base64url')
  const asked = new URLSearchParams({
    ...{ response_type: 'code', client_id: clientId, redirect_uri: REDIRECT, resource: endpoint, state: 's' },
    ...{ code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
  })
  const left = await signInAndAllow(new Browser(gateway.url), `${gateway.url}/oauth/authorize?${asked}`)
  const given = await post(
    '/oauth/token',
    new URLSearchParams({
      ...{ grant_type: 'authorization_code', client_id: clientId, redirect_uri: REDIRECT },
      ...{ code: left.searchParams.get('code') ?? '', code_verifier: verifier },
    }),
  )
  assert.equal(given.status, 200, JSON.stringify(given.body))
  const refresh = (token: string) =>
    post(
      '/oauth/token',
      new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, refresh_token: token }),
    )
  return { refreshToken: textAt(given.body, 'refresh_token'), refresh }
}

suite('a restart', () => {
  const folder = { path: '' }
  const types = [
    { name: 'store', skip: false, isKept: true, oauth: () => ({}) },
    { name: 'memory', skip: false, isKept: false, oauth: () => ({ sessionStorage: { type: 'memory' } }) },
    { name: 'file, by sessionStorePath', skip: false, isKept: true, oauth: () => ({ sessionStorePath: folder.path }) },
    {
      name: 'file, by filePath',
      skip: false,
      isKept: true,
      oauth: () => ({ sessionStorage: { type: 'file', filePath: join(folder.path, 'mine.json') } }),
    },
    {
      name: 'redis',
      skip: redisIsMissing() ?? false,
      isKept: true,
      oauth: (socketPath: string) => ({ sessionStorage: { type: 'redis', redis: { socketPath } } }),
    },
  ]
  for (const { name, skip, isKept, oauth } of types) {
    test(`${isKept ? 'keeps' : 'ends'} sessions with the session storage ${name} (C11)`, { skip }, async () => {
      folder.path = await mkdtemp(join(tmpdir(), 'gatehouse-sessions-'))
      await using redis = name === 'redis' ? await RedisServer.start() : undefined
      await using stand = await startOAuthStand({ oauth: oauth(redis?.socketPath ?? '') })
      const { refreshToken, refresh } = await signInTo(stand)
      await stand.gateway.restart()
      const again = await refresh(refreshToken)
      // Without its registration the client is told to register again.
      assert.equal(again.status, isKept ? 200 : 401, JSON.stringify(again.body))
      if (isKept) {
        const token = textAt(again.body, 'access_token')
        const listed = await mcpClient(stand.endpoint, { authorization: `Bearer ${token}` }).send('tools/list')
        assert.equal(listed.status, 200)
      } else assert.equal(at(again.body, 'error'), 'invalid_client')
      if (name.includes('sessionStorePath')) assert.ok(existsSync(join(folder.path, 'oauth-sessions.json')))
      if (name.includes('filePath')) assert.ok(existsSync(join(folder.path, 'mine.json')))
      await rm(folder.path, { recursive: true })
    })
  }
})

suite('a storage that fails', () => {
  test('is told to the client, and to the operator with its reason, once for each request', async () => {
    await using stand = await startOAuthStand({ oauth: { sessionStorage: { type: 'file' } } })
    const { gateway } = stand
    const { refreshToken, refresh } = await signInTo(stand)
    const inTheWay = join(gateway.folder, 'data', 'oauth-sessions.json.new')
    await mkdir(inTheWay)
    const before = gateway.log.length
    const refused = await refresh(refreshToken)
    assert.equal(refused.status, 503)
    const told = gateway.log.slice(before).filter((line) => line.includes('the authorization server failed'))
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', /session storage cannot be used at the moment.*EISDIR.*code=unavailable/)
    const page = pageOf(await new Browser(gateway.url).open(`${gateway.url}/oauth/callback?state=x`))
    assert.equal(page.status, 503)
    assert.equal(gateway.log.slice(before).filter((line) => line.includes('server failed')).length, 2)
    await rm(inTheWay, { recursive: true })
    assert.equal((await refresh(refreshToken)).status, 200)
  })
})

suite('a start is refused', () => {
  test('with an encryption key that is too short (C12)', async () => {
    const config = {
      encryptionKey: 'only 31 characters are not enough'.slice(0, 31),
      oauth: { sessionStorage: { type: 'file' } },
    }
    await assert.rejects(startGateway({ config }), refusal(/ENCRYPTION_KEY has 31 characters and needs at least 32/))
  })

  test('with a Redis that cannot be reached', async () => {
    const config = { oauth: { sessionStorage: { type: 'redis', redis: { socketPath: '/nowhere/redis.sock' } } } }
    await assert.rejects(startGateway({ config }), refusal(/Redis at \/nowhere\/redis\.sock cannot be used \(ENOENT\)/))
  })
})

function refusal(words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GatewayError)
    assert.equal(error.code, 'config_invalid')
    assert.match(error.message, words)
    return true
  }
}
