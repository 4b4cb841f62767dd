import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { problemsOf } from '../../workspaces/settings.ts'
import { oauthSettings } from '../settings.ts'

const desk = { id: 'desk', name: 'Desk', redirectUris: ['https://desk.example/callback'] }

function problems(...clients: readonly unknown[]): string {
  const parsed = oauthSettings.safeParse({ clients })
  return parsed.success ? '' : problemsOf(parsed.error).join('\n')
}

suite('the clients of the settings', () => {
  for (const uri of ['http://localhost:7777/callback', 'http://127.0.0.1/callback', 'cursor://auth/callback']) {
    test(`take ${uri}`, () => assert.equal(problems({ ...desk, redirectUris: [uri] }), ''))
  }

  // All would start, and the first person who signs in would read of it; two of one id would take the server away from all.
  for (const { uri, says } of [
    { uri: 'desk.example/callback', says: /clients\.0\.redirectUris\.0: a redirect URI is an absolute URL/ },
    { uri: 'http://desk.example/callback', says: /begins with https/ },
    { uri: 'https://desk.example/callback#top', says: /no fragment/ },
    { uri: 'https://desk.example/a/../callback', says: /no \. or \.\./ },
    { uri: 'javascript:alert(1)', says: /does not begin with javascript:/ },
  ]) {
    test(`are refused with ${uri}`, () => assert.match(problems({ ...desk, redirectUris: [uri] }), says))
  }

  test('are refused when two have one id', () => {
    assert.match(problems(desk, { ...desk, name: 'Other' }), /clients: two have the id desk/)
  })
})
