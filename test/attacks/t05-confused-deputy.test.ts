import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { StrictClient } from '../flows/oauth-client.ts'
import { Browser, pageOf, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'

const buttons = ({ forms }: { forms: readonly { buttons: readonly string[] }[] }) =>
  forms.flatMap((form) => form.buttons)

const SKIPS: readonly Readonly<Record<string, string>>[] = [
  ...[
    {},
    { prompt: 'login' },
    { max_age: '9999', scope: 'openid' },
    { approval_prompt: 'auto' },
    { prompt: 'consent' },
  ],
]

suite('T5: a client that nobody has allowed gets nothing in a browser where somebody is signed in:', () => {
  test('a new client meets the consent page, whatever it asks the server to skip', async () => {
    await using stand = await startOAuthStand()
    const known = await StrictClient.register(stand, { client_name: 'Known' })
    const browser = new Browser(stand.gateway.url)
    await known.connect({ browser })
    for (const application_type of ['native', 'web']) {
      const stranger = await StrictClient.register(stand, {
        ...{ client_name: 'Stranger', application_type, redirect_uris: ['https://stranger.example/cb'] },
      })
      for (const params of SKIPS) {
        const asked = { redirect_uri: 'https://stranger.example/cb', ...params }
        const page = pageOf(await browser.open((await stranger.request({ params: asked })).url))
        assert.match(page.html, /Stranger/)
        assert.match(page.html, /stranger\.example/)
        assert.ok(buttons(page).includes('allow') || buttons(page).includes('password'))
      }
    }
  })

  test('prompt=none is told that consent is missing, and gets no code', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    await client.connect({ browser })
    const { url } = await client.request({ params: { prompt: 'none' } })
    const back = await browser.open(url)
    assert.ok('left' in back)
    assert.equal(back.left.searchParams.get('code'), null)
    assert.match(back.left.searchParams.get('error') ?? '', /^(?:consent|interaction)_required$/)
  })

  for (const application_type of ['native', 'web']) {
    test(`the same ${application_type} client is asked about again, in the same browser too`, async () => {
      await using stand = await startOAuthStand()
      const redirect_uri = 'https://app.example/cb'
      const client = await StrictClient.register(stand, { application_type, redirect_uris: [redirect_uri] })
      const browser = new Browser(stand.gateway.url)
      const asked = { params: { redirect_uri } }
      assert.ok(await signInAndAllow(browser, (await client.request(asked)).url))
      const page = pageOf(await browser.open((await client.request(asked)).url))
      assert.ok(buttons(page).includes('allow'))
    })
  }

  test('the request of one client cannot be finished with the consent that another one got', async () => {
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    const browser = new Browser(stand.gateway.url)
    const first = await client.request()
    const pending = pageOf(await browser.open((await client.request()).url))
    assert.ok(await signInAndAllow(browser, first.url))
    // Who was signed in when that page was due is another story by now: it starts again.
    const stale = pageOf(await browser.open(pending.url))
    assert.equal(buttons(stale).includes('allow'), false)
  })
})
