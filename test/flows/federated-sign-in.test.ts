import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { followUntil } from '../../src/testing/browser.ts'
import { mcpClient } from '../../src/testing/clients.ts'
import { type GithubServer, startGithubServer } from '../../src/testing/github-server.ts'
import { type IdentityProvider, startIdentityProvider } from '../../src/testing/identity-provider.ts'
import { StrictClient, type Tokens } from './oauth-client.ts'
import { Browser, leftOf, type OAuthStand, pageOf, startOAuthStand } from './oauth-stand.ts'

const CLIENT_ID = 'gatehouse'
const CLIENT_SECRET = 'provider-secret-provider-secret-1234'

interface Stand extends AsyncDisposable {
  readonly stand: OAuthStand
  readonly idp: IdentityProvider
  readonly github: GithubServer
}

/** A gateway where people sign in at an OpenID provider and at GitHub. */
async function start(allow: unknown = { domains: ['staff.example'] }): Promise<Stand> {
  await using parts = new AsyncDisposableStack()
  const app = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, redirectUri: '' }
  const idp = parts.use(await startIdentityProvider({ clients: [] }))
  const github = parts.use(await startGithubServer(app))
  const credentials = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, allow }
  const providers = [
    { type: 'oidc', id: 'staff', name: 'Staff', issuer: idp.url, ...credentials },
    { type: 'github', baseUrl: github.url, ...credentials },
  ]
  const stand = parts.use(await startOAuthStand({ oauth: { providers } }))
  app.redirectUri = `${stand.gateway.url}/oauth/callback/github`
  await idp.register({
    ...{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, response_types: ['code'] },
    ...{ redirect_uris: [`${stand.gateway.url}/oauth/callback/staff`], grant_types: ['authorization_code'] },
  })
  idp.person = { sub: 'p-1', email: 'grace@staff.example', email_verified: true, name: 'Grace' }
  const started = parts.move()
  return { stand, idp, github, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

interface Asked {
  readonly browser: Browser
  readonly callbackUrl: string
  finish(): ReturnType<Browser['open']>
  redeem(back: URL): Promise<Tokens>
}

/** As far as the provider’s answer: the browser has it, and has not brought it back. */
async function ask(stand: OAuthStand, client: StrictClient, provider: string): Promise<Asked> {
  const { url, verifier, state } = await client.request()
  const browser = new Browser(stand.gateway.url)
  const page = pageOf(await browser.open(url))
  const left = leftOf(await browser.submit(page, 'provider', { provider }))
  const callbackUrl = await followUntil(left.href, `${stand.gateway.url}/oauth/callback/${provider}`)
  return {
    browser,
    callbackUrl,
    finish: () => browser.open(callbackUrl),
    redeem: (back) => client.redeem(oauth.validateAuthResponse(client.server, client.client, back, state), verifier),
  }
}

async function connect(stand: OAuthStand, client: StrictClient, provider: string): Promise<Tokens> {
  const asked = await ask(stand, client, provider)
  const consent = pageOf(await asked.finish())
  return asked.redeem(leftOf(await asked.browser.submit(consent, 'allow')))
}

async function call(stand: OAuthStand, { accessToken }: Tokens): Promise<number> {
  const client = mcpClient(stand.endpoint, { authorization: `Bearer ${accessToken}` })
  return (await client.call('listOrders')).status
}

const subjectOf = ({ accessToken }: Tokens) =>
  String(JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()).sub)

suite('people sign in', () => {
  test('at an OpenID provider and at GitHub, side by side, and their clients call tools (C4)', async () => {
    await using parts = await start()
    const { stand, github } = parts
    github.emails = [{ email: 'grace@staff.example', primary: true, verified: true }]
    const client = await StrictClient.register(stand)
    const [one, other] = [await connect(stand, client, 'staff'), await connect(stand, client, 'github')]
    assert.deepEqual([await call(stand, one), await call(stand, other)], [200, 200])
    // The same e-mail at two providers is two people: who has it there may be somebody else.
    assert.notEqual(subjectOf(one), subjectOf(other))
    assert.equal(subjectOf(await connect(stand, client, 'staff')), subjectOf(one))
  })

  const strangers = [
    { name: 'whose e-mail nobody has verified', person: { email: 'grace@staff.example' } },
    { name: 'with a member’s e-mail that nobody has verified', person: { email: 'ada@example.com' } },
  ]
  for (const { name, person } of strangers) {
    test(`but not somebody ${name} (T11)`, async () => {
      await using parts = await start()
      parts.idp.person = { sub: 'p-2', ...person }
      const asked = await ask(parts.stand, await StrictClient.register(parts.stand), 'staff')
      const page = pageOf(await asked.finish())
      assert.ok(!page.forms.some(({ buttons }) => buttons.includes('allow')), page.html)
    })
  }
})

test('an answer that cannot be accepted is told to the person in words, to the operator in detail, to neither with a secret', async () => {
  await using parts = await start()
  const asked = await ask(parts.stand, await StrictClient.register(parts.stand), 'staff')
  parts.idp.misbehaviour = { claims: (claims) => ({ ...claims, iss: 'https://other.example' }) }
  const { html } = pageOf(await asked.finish())
  assert.match(html, /Staff gave an answer that cannot be accepted/)
  const log = parts.stand.gateway.log.join('')
  assert.match(log, /sign-in at staff failed: unexpected JWT claim value encountered/)
  const { searchParams } = new URL(asked.callbackUrl)
  for (const secret of [CLIENT_SECRET, searchParams.get('code') ?? '?', searchParams.get('state') ?? '?']) {
    assert.ok(!log.includes(secret) && !html.includes(secret))
  }
})

test('who is not allowed any more is out at once: allow counts as it is today, not as it was', async () => {
  await using parts = await start()
  const { stand } = parts
  const client = await StrictClient.register(stand)
  const tokens = await connect(stand, client, 'staff')
  const file = join(stand.gateway.folder, 'gatehouse.yaml')
  const config = (await readFile(file, 'utf8')).replaceAll('staff.example', 'other.example')
  await writeFile(file, config)
  await stand.gateway.restart()
  assert.equal(await call(stand, tokens), 401)
  const refreshed = await client.token({ grant_type: 'refresh_token', refresh_token: tokens.refreshToken })
  assert.equal(refreshed.status, 400)
})
