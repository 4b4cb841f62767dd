import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CONFORMANCE_CHECK_METADATA, OAuthConformanceTest } from '@mcpjam/sdk'
import { Browser, type OAuthStand, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'
import { startClientSite } from './metadata-document.ts'

type Config = ConstructorParameters<typeof OAuthConformanceTest>[0]

/**
 * Skipped, in MCPJam's words: it redeems a code that was redeemed already, with another redirect URI, and would have the answer
 * say that the redirect was what is wrong. We say `invalid_grant` for either (RFC 6749 §5.2), and not more to a stranger.
 */
const SKIPPED = {
  step: 'oauth_invalid_redirect',
  status: 'skipped',
  error: 'Token request was rejected for a non-redirect reason: grant request is invalid',
} as const

const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25'] as const

suite('MCPJam’s OAuth conformance checks pass', () => {
  for (const protocolVersion of REVISIONS) {
    test(`${protocolVersion}, with a client that registers itself`, async () => {
      await using stand = await startOAuthStand()
      await assertConformant(stand, { protocolVersion, registrationStrategy: 'dcr' })
    })

    test(`${protocolVersion}, with a client that the operator wrote down`, async () => {
      const known = { id: 'mcpjam', name: 'MCPJam', redirectUris: ['http://127.0.0.1/callback'] }
      await using stand = await startOAuthStand({ oauth: { clients: [known] } })
      const client = { preregistered: { clientId: known.id } }
      await assertConformant(stand, { protocolVersion, registrationStrategy: 'preregistered', client })
    })
  }

  test('2025-11-25, with a client that is a metadata document', async () => {
    // Without a port: whoever writes the document does not know it (RFC 8252 §7.3).
    const redirects = { redirect_uris: ['http://127.0.0.1/callback'], client_name: 'MCPJam' }
    await using site = await startClientSite({ ...redirects, token_endpoint_auth_method: 'none' })
    await using stand = await startOAuthStand({ config: site.config })
    const client = { clientIdMetadataUrl: site.clientId }
    await assertConformant(stand, { protocolVersion: '2025-11-25', registrationStrategy: 'cimd', client })
    assert.ok(site.asked() > 0)
  })

  // Metadata documents came with 2025-11-25, so MCPJam tests no earlier revision with one: it refuses before it asks anybody.
  // What we do with such a client: metadata-document-revisions.test.ts.
  for (const protocolVersion of ['2025-03-26', '2025-06-18'] as const) {
    test(`${protocolVersion} with a client that is a metadata document is refused by MCPJam itself`, () => {
      const client = { clientIdMetadataUrl: 'https://client.example/client.json' }
      const asked = {
        serverUrl: 'https://gate.example/mcp',
        protocolVersion,
        registrationStrategy: 'cimd',
        client,
      } as const
      assert.throws(() => new OAuthConformanceTest(asked), {
        message: `CIMD registration is not supported for protocol version ${protocolVersion}`,
      })
      assert.ok(new OAuthConformanceTest({ ...asked, registrationStrategy: 'dcr' }))
      assert.ok(new OAuthConformanceTest({ ...asked, protocolVersion: '2025-11-25' }))
    })
  }
})

async function assertConformant(
  { gateway, endpoint, api }: OAuthStand,
  config: Pick<Config, 'protocolVersion' | 'registrationStrategy' | 'client'>,
): Promise<void> {
  const openUrl = async (url: string) => {
    const back = await fetch(await signInAndAllow(new Browser(gateway.url), url))
    await back.body?.cancel()
  }
  const result = await new OAuthConformanceTest({
    ...config,
    serverUrl: endpoint,
    auth: { mode: 'interactive', openUrl },
    oauthConformanceChecks: true,
    verification: { listTools: true, callTool: { name: 'listOrders' } },
  }).run()
  const steps = result.steps.map(({ step, status, error }) => ({ step, status, error: error?.message }))
  const report = `${result.summary}\n${JSON.stringify(steps, undefined, 2)}`
  assert.equal(result.passed, true, report)
  for (const check of Object.keys(CONFORMANCE_CHECK_METADATA)) {
    assert.ok(
      steps.some(({ step }) => step === check),
      `${check}: ${report}`,
    )
  }
  const notPassed = steps.filter(({ status }) => status !== 'passed')
  assert.deepEqual(notPassed, [SKIPPED], report)
  assert.equal(result.verification?.listTools?.toolCount, 2, report)
  assert.equal(result.verification?.callTool?.passed, true, report)
  assert.equal(api.seen.length, 1)
}
