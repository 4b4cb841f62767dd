import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { brandingSettings } from '../settings.ts'
import { destinationOf, formTarget } from './asking-client.ts'
import { consentPage } from './consent-page.ts'
import { readableOn } from './contrast.ts'
import { html, plainText } from './html.ts'
import { createPages } from './page.ts'
import { signInPage } from './sign-in-page.ts'

const client = { name: 'App', isKnown: false, documentHost: undefined, redirectUri: 'https://app.example/cb' }
const common = { action: '/oauth/sign-in/1', formKey: 'k', client, workspace: 'Orders' }

suite('pages', () => {
  test('are branded, and readable whatever the colour (C17)', () => {
    const branding = brandingSettings.parse({
      ...{ name: 'Acme & Sons', logoUrl: 'https://cdn.example/logo.svg', color: '#ffcc00' },
    })
    const { body = '', headers = {} } = createPages(branding).page({ title: 'Sign in', body: html`<p>x</p>` })
    assert.match(body, /Acme &amp; Sons/)
    assert.match(body, /<img src="https:\/\/cdn\.example\/logo\.svg" alt="">/)
    assert.match(body, /--main:#ffcc00;--on-main:#000000/)
    assert.match(headers['Content-Security-Policy'] ?? '', /img-src https:\/\/cdn\.example;/)
    for (const color of ['red', '#fff', 'url(x)', '#12345g']) {
      assert.equal(brandingSettings.safeParse({ color }).success, false, color)
    }
    for (const logoUrl of ['http://cdn.example/x.png', 'javascript:alert(1)', 'data:image/png;base64,x']) {
      assert.equal(brandingSettings.safeParse({ logoUrl }).success, false, logoUrl)
    }
  })

  test('every colour leaves black or white text that can be read', () => {
    const channel = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(channel, channel, channel, (...channels) => {
        const color = `#${channels.map((value) => value.toString(16).padStart(2, '0')).join('')}`
        assert.ok(readableOn(color))
      }),
    )
  })

  test('can be read by a screen reader: one heading, a label for each field, a problem that is announced', () => {
    const { text } = signInPage({ ...common, providers: [], hasPasswords: true, email: 'a@b.c', problem: 'Wrong.' })
    assert.equal(text.match(/<h1>/g)?.length, 1)
    for (const [, id] of text.matchAll(/<input id="([^"]+)"/g)) assert.match(text, new RegExp(`<label for="${id}">`))
    assert.match(text, /<p class="bad" role="alert" id="problem">Wrong\./)
    assert.match(text, /aria-invalid="true" aria-describedby="problem"/)
    const { body = '' } = createPages(brandingSettings.parse({})).page({ title: 'x', body: html`` })
    assert.match(body, /<html lang="en">/)
    assert.match(body, /<meta name="viewport" content="width=device-width, initial-scale=1">/)
    assert.match(body, /prefers-color-scheme:dark/)
  })

  test('no text of a stranger becomes markup', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (name, person) => {
        const { text } = consentPage({
          ...{ ...common, client: { ...client, name }, person, scopes: [person], problem: undefined },
        })
        const empty = consentPage({
          ...{ ...common, client: { ...client, name: '' }, person: '', scopes: [''], problem: undefined },
        })
        const tags = (markup: string) => markup.match(/<[^>]*>/g)
        assert.deepEqual(tags(text), tags(empty.text))
      }),
    )
  })

  test('names are one line without what cannot be seen or turns the text around', () => {
    assert.equal(plainText('a\u202Eb\u200B\n\tc\u0000', 60), 'a b c')
    assert.equal(plainText('x'.repeat(100), 5), 'xxxx…')
  })

  test('the place that an answer goes to is said as people understand it', () => {
    assert.equal(destinationOf('https://app.example:8443/a/b?c'), 'app.example:8443')
    assert.equal(destinationOf('http://localhost:3000/cb'), 'a program on this device (localhost:3000)')
    assert.equal(destinationOf('http://[::1]:3000/cb'), 'a program on this device ([::1]:3000)')
    assert.equal(destinationOf('cursor://anysphere/cb'), 'a program on this device (cursor://)')
    assert.equal(destinationOf('https://127.0.0.1.evil.example/cb'), '127.0.0.1.evil.example')
  })

  test('a form may lead to the client, in the terms of the policy', () => {
    assert.equal(formTarget('https://app.example/cb;x'), 'https://app.example')
    assert.equal(formTarget('http://[::1]:3000/cb'), 'http:')
    assert.equal(formTarget('cursor://anysphere/cb'), 'cursor:')
  })
})
