import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Page } from '../../src/testing/page-browser.ts'
import { REDIRECT, StrictClient } from './oauth-client.ts'
import { ADA, Browser, leftOf, pageOf, signIn, startOAuthStand } from './oauth-stand.ts'

const BOB = 'bob@example.com'

function buttonsOf({ forms }: Page): readonly string[] {
  return forms.flatMap(({ buttons }) => buttons)
}

suite('two people in one browser', () => {
  test('who signs in last in another window is who is signed in', async () => {
    await using stand = await startOAuthStand()
    await stand.addPerson(BOB)
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const open = async () => pageOf(await browser.open((await client.request()).url))
    const [ofAda, ofBob] = [await open(), await open()]
    const bobs = await signIn(browser, ofBob, BOB)
    const adas = await signIn(browser, ofAda, ADA)
    assert.match(adas.html, /ada@example\.com/)
    // Bob is not who is signed in any more, so his page gives nothing.
    assert.equal(pageOf(await browser.submit(bobs, 'allow')).status, 400)
    const left = leftOf(await browser.submit(adas, 'allow'))
    assert.ok(left.href.startsWith(REDIRECT) && left.searchParams.has('code'), left.href)
  })

  test('somebody else may sign in from the page that asks whether the app may', async () => {
    await using stand = await startOAuthStand()
    await stand.addPerson(BOB)
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const consent = await signIn(browser, pageOf(await browser.open((await client.request()).url)), BOB)
    const again = pageOf(await browser.submit(consent, 'switch'))
    assert.deepEqual(buttonsOf(again), ['password', 'deny'])
    assert.match((await signIn(browser, again, ADA)).html, /ada@example\.com/)
  })
})
