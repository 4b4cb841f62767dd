import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { ADA, PASSWORD } from '../flows/oauth-stand.ts'
import { chromiumIsMissing, startChromium } from './chromium.ts'
import { factsOf } from './page-facts.ts'
import { type SecureStand, startSecureStand } from './secure-stand.ts'

const missing = chromiumIsMissing()
const APP = 'Claude Code'
/** As long as names can be, and without a place to break. */
const LONG = 'W'.repeat(60)
/** WCAG 2.2, 1.4.10 asks for 320; phones of today have 360. */
const PHONE = { viewport: { width: 320, height: 640 } } as const
/** Chromium writes every status of 400 and more on the console. */
const STATUS = /^Failed to load resource: the server responded with a status of/

suite('the sign-in and consent pages in a real browser', { skip: missing ?? false }, () => {
  const parts = new AsyncDisposableStack()
  let secure: SecureStand
  let browser: Browser
  const complaints: string[] = []

  before(async () => {
    secure = parts.use(await startSecureStand())
    browser = parts.use(await startChromium()).browser
  })
  after(() => parts.disposeAsync())

  /** A new browser of somebody at the sign-in page; what the browser complains of is kept. */
  async function open(options: BrowserContextOptions = {}, app = APP): Promise<Page & AsyncDisposable> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options })
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    page.on('console', (message) => {
      if (!STATUS.test(message.text())) complaints.push(`${message.type()}: ${message.text()}`)
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('requestfailed', (request) => complaints.push(`${request.url()} ${request.failure()?.errorText}`))
    await page.goto(await secure.authorizationUrl(app))
    return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() })
  }

  test('work without script, by the keyboard alone, to the answer at the client', async () => {
    await using page = await open({ javaScriptEnabled: false })
    await tabTo(page, 'E-mail')
    await page.keyboard.type(ADA)
    await page.keyboard.press('Tab')
    assert.equal(await focused(page), 'Password')
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Tab')
    assert.equal(await focused(page), 'Sign in')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: `Let ${APP} use Orders?` }).waitFor()
    const order = [await tabTo(page, 'Allow')]
    for (const _ of [1, 2]) {
      await page.keyboard.press('Tab')
      order.push(await focused(page))
    }
    assert.deepEqual(order, ['Allow', 'Do not allow', 'Use another account'])
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByText('Back at the app').waitFor()
    const answer = new URL(page.url())
    assert.equal(answer.origin, secure.clientUrl)
    assert.match(answer.searchParams.get('code') ?? '', /^[\w-]{20,}$/)
    assert.equal(answer.searchParams.get('iss'), secure.url)
  })

  test('say no in one step, from either page', async () => {
    for (const isSignedIn of [false, true]) {
      await using page = await open()
      if (isSignedIn) await signIn(page)
      await page.getByRole('button', { name: isSignedIn ? 'Do not allow' : 'Cancel' }).click()
      await page.getByText('Back at the app').waitFor()
      assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')
    }
  })

  test('give every field and button a name, and one heading first', async () => {
    await using page = await open()
    assert.equal(await page.title(), 'Sign in – Gatehouse')
    assert.match(await outline(page), /^- heading "Sign in to Orders" \[level=1\]\n/)
    assert.deepEqual(await controls(page), [
      ...[
        'textbox "E-mail"',
        'textbox "Password"',
        'button "Sign in"',
        'button "Sign in with Company"',
        'button "Cancel"',
      ],
    ])
    assert.equal(await page.locator('html').getAttribute('lang'), 'en')
    // By these browsers and password managers know what to fill in.
    assert.equal(await page.getByLabel('E-mail').getAttribute('autocomplete'), 'username')
    assert.equal(await page.getByLabel('Password').getAttribute('autocomplete'), 'current-password')
    await signIn(page)
    assert.equal(await page.title(), 'Allow access – Gatehouse')
    assert.match(await outline(page), /^- heading "Let Claude Code use Orders\?" \[level=1\]\n/)
    assert.deepEqual(await controls(page), [
      ...['button "Allow"', 'button "Do not allow"', 'button "Use another account"'],
    ])
  })

  test('announce what was wrong: in the title, as an alert, at the fields; and keep the e-mail', async () => {
    await using page = await open()
    await signIn(page, 'not the password')
    const problem = 'The e-mail or the password is wrong.'
    assert.equal(await page.title(), 'Error: Sign in – Gatehouse')
    assert.equal(await page.getByRole('alert').textContent(), problem)
    for (const label of ['E-mail', 'Password']) {
      const field = page.getByLabel(label)
      assert.equal(await field.getAttribute('aria-invalid'), 'true')
      assert.equal(await field.getAttribute('aria-describedby'), await page.getByRole('alert').getAttribute('id'))
    }
    assert.equal(await page.getByLabel('E-mail').inputValue(), ADA)
    assert.equal(await page.getByLabel('Password').inputValue(), '')
  })

  test('say what to do when a request is no good', async () => {
    await using page = await open()
    await page.goto(`${secure.url}/oauth/authorize?client_id=forgotten&response_type=code`)
    assert.match((await page.getByRole('alert').textContent()) ?? '', /not known here/)
    assert.match(await outline(page), /remove this connection and add it again/)
    assert.equal(await page.title(), 'Error: This did not work – Gatehouse')
  })

  for (const [name, options] of Object.entries({
    phone: PHONE,
    'phone in dark': { ...PHONE, colorScheme: 'dark' as const },
  })) {
    test(`fit on a ${name} with the longest names, and can be hit with a thumb`, async () => {
      await using page = await open(options, LONG)
      await assertFits(page)
      await signIn(page)
      await assertFits(page)
      await page.goto(`${secure.url}/oauth/sign-out`)
      await assertFits(page)
    })
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`can be read in ${colorScheme}: all text has a contrast of 4.5, borders of 3 (WCAG 2.2, 1.4.3 and 1.4.11)`, async () => {
      await using page = await open({ colorScheme })
      await signIn(page, 'not the password')
      const pages = [await factsOf(page)]
      await signIn(page)
      pages.push(await factsOf(page))
      for (const { texts, borders, ground } of pages) {
        assert.equal(ground > 0.5, colorScheme === 'light')
        assert.ok(texts.length >= 5 && borders.length >= 2)
        for (const { of, contrast } of texts) assert.ok(contrast >= 4.5, `${of}: ${contrast}`)
        for (const { of, contrast } of borders) assert.ok(contrast >= 3, `${of}: ${contrast}`)
      }
    })
  }

  test('leave nothing for the browser to complain of: no error, no refused style, no failed request', async () => {
    await using page = await open()
    await signIn(page, 'not the password')
    await signIn(page)
    await page.getByRole('button', { name: 'Use another account' }).click()
    await page.getByRole('heading', { name: 'Sign in to Orders' }).waitFor()
    await page.goto(`${secure.url}/oauth/sign-out`)
    // Of this test and all before it.
    assert.deepEqual(complaints, [])
  })
})

async function signIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('E-mail').fill(ADA)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  const next = password === PASSWORD ? page.getByRole('button', { name: 'Do not allow' }) : page.getByRole('alert')
  await next.waitFor()
}

/** Goes on with Tab until what has this name is focused. */
async function tabTo(page: Page, name: string): Promise<string> {
  for (let step = 0; step < 10; step += 1) {
    await page.keyboard.press('Tab')
    if ((await focused(page)) === name) return name
  }
  throw new Error(`Tab never comes to ${name}`)
}

/** The name of what is focused; fails when one cannot see that it is. */
async function focused(page: Page): Promise<string> {
  const { name, outline: line } = (await factsOf(page)).focus
  assert.notEqual(line, 'none', `the focus on ${name} is seen`)
  return name
}

/** The page as assistive technology is told of it. */
function outline(page: Page): Promise<string> {
  return page
    .getByRole('main')
    .ariaSnapshot()
    .then((text) => text.replace(/^- main:\n/, '').replaceAll(/^ {2}/gm, ''))
}

async function controls(page: Page): Promise<readonly string[]> {
  return [...(await outline(page)).matchAll(/^- ((?:textbox|button|link|checkbox).*?)(?: \[.*\])?(?::.*)?$/gm)].map(
    ([, one = '']) => one,
  )
}

async function assertFits(page: Page): Promise<void> {
  const { width, controlHeights } = await factsOf(page)
  assert.ok(width <= PHONE.viewport.width, `${page.url()} is ${width} wide`)
  assert.ok(controlHeights.length > 0)
  for (const height of controlHeights) assert.ok(height >= 44, `${height}`)
}
