import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type Listening, serve } from '../flows/doctor-stand.ts'
import { ADA, PASSWORD } from '../flows/oauth-stand.ts'
import { chromiumIsMissing, startChromium } from './chromium.ts'
import { type SecureStand, startSecureStand } from './secure-stand.ts'

const missing = chromiumIsMissing()
const FRAME = '<!doctype html><title>Frame</title><iframe src="URL" width="900" height="900"></iframe>'
const FORM = `<!doctype html><title>Trap</title><form method="post" action="URL">
<input name="do" value="allow"><input name="key" value="guessed"><button>Win a prize</button></form>`

suite('a real browser, over TLS,', { skip: missing ?? false }, () => {
  const parts = new AsyncDisposableStack()
  let secure: SecureStand
  let browser: Browser

  before(async () => {
    secure = parts.use(await startSecureStand())
    browser = parts.use(await startChromium()).browser
  })
  after(() => parts.disposeAsync())

  async function open(url: string): Promise<Page & AsyncDisposable> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    await page.goto(url)
    return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() })
  }

  test('holds cookies of this host only, which no script and no other site’s form gets (T6)', async () => {
    await using page = await open(await secure.authorizationUrl('App'))
    await signIn(page)
    const cookies = await page.context().cookies()
    assert.deepEqual(cookies.map(({ name }) => name.replace(/-flow-.*/, '-flow')).sort(), [
      ...['__Host-gatehouse-flow', '__Host-gatehouse-session'],
    ])
    for (const { name, path, domain, secure: isSecure, httpOnly, sameSite } of cookies) {
      const seen = { path, domain, isSecure, httpOnly, sameSite }
      const wanted = { path: '/', domain: '127.0.0.1', isSecure: true, httpOnly: true, sameSite: 'Lax' }
      assert.deepEqual(seen, wanted, name)
    }
    assert.equal(await page.evaluate('document.cookie'), '')
  })

  test('shows none of our pages in a frame, whoever makes it (T6)', async () => {
    await using page = await open(await secure.authorizationUrl('App'))
    await signIn(page)
    const consent = page.url()
    for (const target of [consent, `${secure.url}/oauth/sign-out`, await secure.authorizationUrl('App')]) {
      secure.pages.set('/frame', FRAME.replace('URL', target.replaceAll('&', '&amp;')))
      const refused = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'))
      await page.goto(`${secure.clientUrl}/frame`)
      await refused
      const frames = page.frames().filter((frame) => frame !== page.mainFrame())
      assert.equal(frames.length, 1)
      for (const frame of frames) assert.ok(!frame.url().startsWith(secure.url), frame.url())
    }
  })

  test('sends a form of another site without cookies, so that it allows nothing (T6)', async () => {
    await using page = await open(await secure.authorizationUrl('App'))
    await signIn(page)
    secure.pages.set('/trap', FORM.replace('URL', page.url()))
    await page.goto(`${secure.clientUrl}/trap`)
    const posted = page.waitForResponse((response) => response.request().method() === 'POST')
    await page.getByRole('button').click()
    const response = await posted
    assert.ok(response.status() >= 400)
    assert.equal((await response.request().allHeaders())['cookie'], undefined)
    await page.getByText('Start again').waitFor()
  })

  test('goes on to where the client’s own site sends it', async () => {
    await using program = await servePage('The program has it')
    secure.redirects.set('/callback', `${program.url}/got-it`)
    try {
      for (const [button, name] of [
        ['Allow', 'code'],
        ['Do not allow', 'error'],
      ] as const) {
        await using page = await open(await secure.authorizationUrl('App'))
        await signIn(page)
        await page.getByRole('button', { name: button, exact: true }).click()
        await page.getByText('The program has it').waitFor()
        const [answer = ''] = secure.answers.slice(-1)
        assert.ok(new URL(answer, secure.clientUrl).searchParams.has(name), answer)
      }
    } finally {
      secure.redirects.clear()
    }
  })

  test('goes to a provider, to where that sends it, and back to our own consent page', async () => {
    const { provider } = secure
    // A directory that leaves it to another one to know the person, as companies have them.
    await using other = await serve((request, response) => {
      response.writeHead(302, { location: `${provider.url}${request.url}&known=yes` }).end()
    })
    provider.misbehaviour.intercept = (request, response) => {
      const target = request.url ?? ''
      if (!target.startsWith('/auth?') || target.includes('known=yes')) return false
      response.writeHead(302, { location: other.url + target }).end()
      return true
    }
    await using page = await open(await secure.authorizationUrl('App'))
    await page.getByRole('button', { name: 'Sign in with Company' }).click()
    await page.getByRole('heading', { name: 'Let App use Orders?' }).waitFor()
    await page.getByRole('button', { name: 'Allow', exact: true }).click()
    await page.getByText('Back at the app').waitFor()
    assert.ok(new URL(page.url()).searchParams.has('code'))
  })
})

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('E-mail').fill(ADA)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('button', { name: 'Allow', exact: true }).waitFor()
}

function servePage(text: string): Promise<Listening> {
  return serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>Page</title><p>${text}</p>`)
  })
}
