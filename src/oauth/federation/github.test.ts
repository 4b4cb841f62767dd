import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startGithubServer } from '../../testing/github-server.ts'
import { CLIENT_ID, CLIENT_SECRET, failureOf, REDIRECT_URI, signIn, standOf, visit } from './federation.test-support.ts'

const start = () => startGithubServer({ clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, redirectUri: REDIRECT_URI })
const settingsFor = (baseUrl: string, more = {}) => ({
  ...{ type: 'github', baseUrl, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, allow: { domains: ['example.com'] } },
  ...more,
})
const LARGE = { status: 200, body: { x: 'x'.repeat(1_000_000) } }

suite('signing in at GitHub', () => {
  test('gives the numeric id, the primary verified e-mail and the name', async () => {
    await using github = await start()
    await using stand = standOf(settingsFor(github.url))
    assert.equal(await stand.provider.start(), undefined)
    assert.deepEqual(await signIn(stand.provider), {
      ...{ issuer: github.url, subject: '4711', email: 'ada@example.com', name: 'Ada Lovelace', isAllowed: true },
    })
  })

  test('takes a GitHub that says nothing in iss, and none that says another issuer (T10)', async () => {
    await using github = await start()
    await using stand = standOf(settingsFor(github.url))
    github.iss = undefined
    assert.equal((await signIn(stand.provider)).subject, '4711')
    github.iss = 'https://other.example'
    assert.match((await failureOf(signIn(stand.provider))).cause, /"iss"/)
  })

  const unverified = [
    { name: 'not verified', emails: [{ email: 'ada@example.com', primary: true, verified: false }] },
    { name: 'not the primary one', emails: [{ email: 'ada@example.com', primary: false, verified: true }] },
    { name: 'not there', emails: [] },
  ]
  for (const { name, emails } of unverified) {
    test(`an e-mail that is ${name} counts for nothing, nor does the one of the profile (T11)`, async () => {
      await using github = await start()
      await using stand = standOf(settingsFor(github.url))
      github.emails = emails
      github.user = { ...github.user, email: 'ada@example.com' }
      const { email, isAllowed } = await signIn(stand.provider)
      assert.deepEqual([email, isAllowed], [undefined, false])
    })
  }

  test('counts once, and only with the verifier of this sign-in', async () => {
    await using github = await start()
    await using stand = standOf(settingsFor(github.url))
    const { callbackUrl, memory } = await visit(stand.provider)
    const finish = (changed = memory) =>
      failureOf(stand.provider.finish({ callbackUrl, redirectUri: REDIRECT_URI, memory: changed }))
    const failure = await finish({ ...memory, codeVerifier: 'x'.repeat(43) })
    assert.deepEqual([failure.code, /bad_verification_code/.test(failure.cause)], ['login_failed', true])
    assert.equal((await finish()).cause, 'the state was used before')
  })

  test('with a wrong secret is told to the operator, without it', async () => {
    await using github = await start()
    await using stand = standOf(settingsFor(github.url, { clientSecret: 'mistyped-mistyped-mistyped' }))
    const failure = await failureOf(signIn(stand.provider))
    assert.equal(failure.code, 'login_failed')
    assert.match(failure.cause, /incorrect_client_credentials/)
    assert.ok(!failure.cause.includes('mistyped'))
  })

  const broken = [
    { name: 'a user without an id', path: '/api/v3/user', reply: { status: 200, body: { login: 'ada' } } },
    { name: 'an id that is a text', path: '/api/v3/user', reply: { status: 200, body: { id: '4711' } } },
    { name: 'no JSON', path: '/api/v3/user', reply: { status: 200, text: { content: '<html>', type: 'text/html' } } },
    { name: 'e-mails that are no list', path: '/api/v3/user/emails', reply: { status: 200, body: {} } },
    { name: '401', path: '/api/v3/user/emails', reply: { status: 401, body: {} } },
    { name: 'a redirect', path: '/api/v3/user', reply: { status: 302, headers: { location: '/elsewhere' } } },
  ]
  for (const { name, path, reply } of broken) {
    test(`where the API answers ${name} signs nobody in`, async () => {
      await using github = await start()
      await using stand = standOf(settingsFor(github.url))
      github.instead.set(path, reply)
      assert.equal((await failureOf(signIn(stand.provider))).code, 'login_failed')
      assert.ok(!github.seen.includes('/elsewhere'))
    })
  }

  for (const path of ['/login/oauth/access_token', '/api/v3/user', '/api/v3/user/emails']) {
    test(`where ${path} is down or answers without end is for later`, async () => {
      await using github = await start()
      await using stand = standOf(settingsFor(github.url))
      for (const reply of [{ status: 503 }, LARGE]) {
        github.instead.set(path, reply)
        assert.equal((await failureOf(signIn(stand.provider))).code, 'identity_provider_unavailable')
      }
    })
  }
})
