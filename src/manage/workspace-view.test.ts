import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { workspaceSettings } from '../workspaces/settings.ts'
import type { Workspace } from '../workspaces/workspace.ts'
import { viewWorkspace } from './workspace-view.ts'

const PUBLIC_URL = 'https://mcp.example'

function workspaceOf(given: object, url?: string): Workspace {
  const { auth, ...settings } = workspaceSettings.parse({ name: 'My API', ...given })
  return {
    ...settings,
    id: 'abcdefghijklmnop',
    accountId: 'account',
    slug: 'my-api',
    keptBy: 'api',
    reach: 'operator',
    inbound: auth,
    rateLimiting: settings.rateLimiting,
    document: { url, text: 'CANARY in the document', importedAt: 0 },
    createdAt: 0,
    updatedAt: 1_000,
  }
}

// Every secret holds the canary, so one that is shown anywhere is found.
const secret = fc.string({ unit: 'grapheme-ascii', maxLength: 10 }).map((text) => `CANARY${text}`)
const name = fc.constantFrom('a', 'password', 'Authorization', 'X-Api-Key')
const headers = fc.dictionary(name, secret)
const body = fc.dictionary(name, fc.oneof(secret, fc.array(secret), fc.record({ deep: fc.dictionary(name, secret) })))
const url = secret.chain((text) => {
  const hidden = encodeURIComponent(text)
  return fc.constantFrom(
    `https://CANARY:${hidden}@api.example/v1`,
    `https://api.example/v1?key=${hidden}`,
    `https://api.example/v1#${hidden}`,
  )
})
const login = fc.record({ body, refreshBody: body, headers }, { requiredKeys: [] })
const upstreamAuth = fc.oneof(
  fc.record({ type: fc.constant('none') }),
  fc.record({ type: fc.constant('bearer'), token: fc.oneof(secret, fc.constant('')), login }),
  fc.record({ type: fc.constant('apiKey'), header: fc.constant('X-Key'), value: secret }),
  fc.record({ type: fc.constant('basic'), username: secret, password: secret }),
)
const security = fc.dictionary(
  name,
  fc.oneof(
    fc.record({ type: fc.constant('none') }),
    fc.record({ type: fc.constant('bearer'), token: secret }),
    fc.record({ type: fc.constant('apiKey'), query: fc.constant('key'), value: secret }),
    fc.record({ type: fc.constant('basic'), username: secret, password: secret }),
  ),
)
const verifier = fc.oneof(
  fc.record({ secret }),
  fc.record({ jwksUrl: url, audience: fc.constant('mcp') }),
  fc.record({ publicKey: fc.constant('-----BEGIN PUBLIC KEY-----') }),
)
const settings = fc.record(
  {
    auth: fc.record({ authType: fc.constant('jwt'), jwt: fc.array(verifier, { minLength: 1, maxLength: 3 }) }),
    upstream: fc.record({ baseUrl: url, auth: upstreamAuth, security, headers }, { requiredKeys: [] }),
    params: fc.dictionary(fc.constantFrom('username', 'password', 'login_url', 'region'), secret),
  },
  { requiredKeys: [] },
)

suite('the view of a workspace', () => {
  test('shows no secret, whatever the settings are', () => {
    fc.assert(
      fc.property(settings, fc.option(url, { nil: undefined }), (given, documentUrl) => {
        assert.doesNotMatch(JSON.stringify(viewWorkspace(workspaceOf(given, documentUrl), PUBLIC_URL)), /CANARY/)
      }),
      { numRuns: 500 },
    )
  })

  test('says which secrets are kept', () => {
    const view = viewWorkspace(
      workspaceOf({
        auth: { authType: 'jwt', jwt: { secret: 'x'.repeat(32), issuer: 'https://a' } },
        upstream: { auth: { type: 'bearer', login: { body: { user: '{{username}}' } } }, headers: { 'X-A': 'b' } },
        params: { username: 'ada' },
      }),
      PUBLIC_URL,
    )
    const saved = { saved: true }
    const shown: unknown = JSON.parse(JSON.stringify([view.auth, view.upstream, view.params]))
    assert.ok(Array.isArray(shown))
    const [auth, upstream, params] = shown
    assert.deepEqual(auth.jwt[0].secret, saved)
    assert.equal(auth.jwt[0].issuer, 'https://a')
    assert.deepEqual(upstream.headers, { 'X-A': saved })
    assert.equal(upstream.auth.token, null)
    assert.deepEqual(upstream.auth.login, { contentType: 'json', headers: {}, body: { user: saved } })
    assert.deepEqual(params, { username: saved })
  })

  test('shows the address of the endpoint, and those of the document and the API without what could be a key', () => {
    const given = { upstream: { baseUrl: 'https://ada:pass@api.example/v1?key=1' } }
    const view = viewWorkspace(workspaceOf(given, 'https://ada:pass@docs.example/openapi.json?key=1'), PUBLIC_URL)
    assert.equal(view.url, 'https://mcp.example/my-api-abcdefghijklmnop')
    assert.deepEqual(view.document, {
      url: 'https://docs.example/openapi.json',
      bytes: 22,
      importedAt: '1970-01-01T00:00:00.000Z',
    })
    assert.match(JSON.stringify(view.upstream), /"baseUrl":"https:\/\/api\.example\/v1"/)
  })

  test('shows null where nothing is set', () => {
    const view = viewWorkspace({ ...workspaceOf({}), document: undefined }, PUBLIC_URL)
    assert.deepEqual([view.auth, view.document], [null, null])
  })
})
