import assert from 'node:assert/strict'
import https from 'node:https'
import { after, before, suite, test } from 'node:test'
import tls from 'node:tls'
import { close, listen } from '../../src/test-api/wire.ts'
import { makeCertificate } from './certificate.ts'
import { at, send, textAt } from './http.ts'
import { StrictClient } from './oauth-client.ts'
import {
  ADA,
  Browser,
  type OAuthStand,
  PASSWORD,
  pageOf,
  signIn,
  signInAndAllow,
  startOAuthStand,
} from './oauth-stand.ts'

const NEW_PASSWORD = 'another horse battery staple'
const certificate = makeCertificate({ names: ['127.0.0.1'] })
const trustedBefore = tls.getCACertificates()

before(() => tls.setDefaultCACertificates([...trustedBefore, certificate.cert]))
after(() => tls.setDefaultCACertificates(trustedBefore))

/** A gateway with a clock, since what was ended counts by the second. */
async function startStand(egress = {}) {
  const clock = { ms: Date.now() }
  const stand = await startOAuthStand({ now: () => clock.ms, egress })
  return { stand, clock, [Symbol.asyncDispose]: () => stand[Symbol.asyncDispose]() }
}

async function changePassword({ admin, gateway }: OAuthStand): Promise<void> {
  const people = (await admin.send('GET', '/api/people')).json
  const ada = Array.isArray(people) ? people.find((person) => at(person, 'email') === ADA) : undefined
  const reset = await admin.send('POST', `/api/people/${textAt(ada, 'id')}/password-reset`, {})
  const body = { code: textAt(reset.json, 'code'), password: NEW_PASSWORD }
  assert.equal((await send('POST', `${gateway.url}/api/invitations/accept`, { body })).status, 200)
}

/** What this browser is asked when an app wants access. */
async function askedOf(browser: Browser, client: StrictClient): Promise<readonly string[]> {
  const page = pageOf(await browser.open((await client.request()).url))
  return page.forms.flatMap(({ buttons }) => buttons)
}

const WHO_IT_IS = ['password', 'deny']
const WHETHER_IT_MAY = ['allow', 'deny', 'switch']

/** The same cookies in another browser: what a thief has. */
function copyOf(browser: Browser, { gateway }: OAuthStand): Browser {
  const copy = new Browser(gateway.url)
  for (const [name, value] of browser.cookies) copy.cookies.set(name, value)
  return copy
}

suite('a new password', () => {
  test('signs out every browser where the old one was given, and not those that come after', async () => {
    await using started = await startStand()
    const { stand, clock } = started
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    await signInAndAllow(browser, (await client.request()).url)
    assert.deepEqual(await askedOf(browser, client), WHETHER_IT_MAY)
    await changePassword(stand)
    assert.deepEqual(await askedOf(browser, client), WHO_IT_IS)
    clock.ms += 1_000
    const page = pageOf(await browser.open((await client.request()).url))
    const consent = await signIn(browser, page, ADA, NEW_PASSWORD)
    assert.deepEqual(
      consent.forms.flatMap(({ buttons }) => buttons),
      WHETHER_IT_MAY,
    )
  })

  test('ends a sign-in under way where the old one was given and the next page not asked for yet', async () => {
    await using started = await startStand()
    const { stand } = started
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    const form = page.forms.find(({ buttons }) => buttons.includes('password'))
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const body = new URLSearchParams({ ...form?.fields, email: ADA, password: PASSWORD, do: 'password' })
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' }
    const accepted = await send('POST', form?.action ?? '', { body: body.toString(), headers })
    assert.equal(accepted.status, 303)
    await changePassword(stand)
    assert.equal(pageOf(await browser.open(accepted.headers.get('location') ?? '')).status, 400)
    assert.deepEqual(await askedOf(browser, client), WHO_IT_IS)
  })
})

suite('a session stays ended while a request of it still runs', () => {
  /** Whoever asks waits: the site of a client's metadata answers when `answer` is called. */
  async function startSlowSite() {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const server = https.createServer(certificate, (_request, response) => {
      asked.resolve()
      void answer.promise.then(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
    })
    const port: number = await listen(server, { host: '127.0.0.1', port: 0 })
    return {
      ...{ asked: asked.promise, answer: answer.resolve, host: `127.0.0.1:${port}` },
      [Symbol.asyncDispose]: () => close(server),
    }
  }

  const ends = [
    {
      name: 'by signing out',
      end: async (stand: OAuthStand, browser: Browser) => {
        const page = pageOf(await browser.open(`${stand.gateway.url}/oauth/sign-out`))
        pageOf(await browser.submit(page, 'sign-out'))
      },
    },
    {
      name: 'by ending everything of the person',
      end: async ({ gateway }: OAuthStand) => {
        const headers = { 'content-type': 'application/json' }
        const signedIn = await send('POST', `${gateway.url}/api/sign-in`, {
          ...{ headers, body: { email: ADA, password: PASSWORD } },
        })
        const authorization = `Bearer ${textAt(signedIn.body, 'token')}`
        const ended = await send('DELETE', `${gateway.url}/api/connected-apps`, { headers: { authorization } })
        assert.equal(ended.status, 204)
      },
    },
  ]
  for (const { name, end } of ends) {
    test(name, async () => {
      await using site = await startSlowSite()
      await using started = await startStand({ allowedHosts: [site.host] })
      const { stand } = started
      const client = await StrictClient.register(stand)
      const browser = new Browser(stand.gateway.url)
      await signInAndAllow(browser, (await client.request()).url)
      const thief = copyOf(browser, stand)
      const slow = thief.open((await client.as(`https://${site.host}/client.json`).request()).url)
      await site.asked
      await end(stand, browser)
      site.answer()
      pageOf(await slow)
      assert.deepEqual(await askedOf(thief, client), WHO_IT_IS)
    })
  }
})
