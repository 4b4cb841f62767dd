import assert from 'node:assert/strict'
import { mock, suite, test } from 'node:test'
import { Browser, type OAuthStand, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'
import { startClientSite } from './metadata-document.ts'
import { Memory, SDKS, type SdkClient, type SdkVersion } from './sdk-oauth.ts'

const TOOLS = ['listOrders', 'listRefunds']
const OLGA = 'olga@example.com'
const HOUR_MS = 3_600_000
const PROCESSES = 6

for (const sdk of SDKS) {
  suite(`the official client, ${sdk.name},`, () => {
    test('registers itself, signs a person in and calls tools', async () => {
      await using stand = await startOAuthStand()
      const memory = new Memory()
      await using client = await signedIn(sdk, stand, memory)
      await assertServes(client)
      assert.match(memory.client?.client_id ?? '', /^[\w-]{20,}$/)
    })

    test('is the document at an address, whose redirect names no port', async () => {
      const redirects = { redirect_uris: ['http://localhost/callback'], client_name: 'Desktop' }
      await using site = await startClientSite({ ...redirects, token_endpoint_auth_method: 'none' })
      await using stand = await startOAuthStand({ config: site.config })
      const memory = new Memory({ clientMetadataUrl: site.clientId })
      await using client = await signedIn(sdk, stand, memory)
      await assertServes(client)
      assert.equal(memory.client?.client_id, site.clientId)
    })

    test('is a confidential client that the operator wrote down', async () => {
      const secret = 'a secret of at least 32 characters'
      const known = { id: 'known', name: 'Known', secret, redirectUris: ['http://localhost:7777/callback'] }
      await using stand = await startOAuthStand({ oauth: { clients: [known] } })
      const memory = new Memory({ client: { client_id: known.id, client_secret: secret } })
      await using client = await signedIn(sdk, stand, memory)
      await assertServes(client)
    })

    test('asks for more scopes after a 403, and then may do more', async () => {
      await using stand = await startOAuthStand()
      await stand.addPerson(OLGA, 'owner')
      // With a refresh token 1.32 would refresh instead of asking the person, and give up.
      const memory = new Memory({ keepsRefreshTokens: false })
      await using client = await signedIn(sdk, stand, memory, OLGA)
      await assert.rejects(client.call('listSecrets'), sdk.isUnauthorized)
      assert.match(memory.sentTo?.searchParams.get('scope') ?? '', /\badmin\b/)
      await client.finish(await answerOf(stand, memory, OLGA))
      assert.match(await client.call('listSecrets'), /ok/)
      if (sdk.unitesScopes) await assertServes(client)
      else await assert.rejects(client.call('listRefunds'), sdk.isUnauthorized)
    })

    test('when its token is over it gets another, and asks nobody', async (t) => {
      mock.timers.enable({ apis: ['Date'], now: Date.now() })
      t.after(() => mock.timers.reset())
      await using stand = await startOAuthStand()
      const memory = new Memory()
      await using client = await signedIn(sdk, stand, memory)
      memory.sentTo = undefined
      for (let hour = 2; hour <= 6; hour += 2) {
        mock.timers.tick(2 * HOUR_MS)
        const { saved } = memory
        await assertServes(client)
        assert.ok(memory.saved > saved)
        assert.equal(memory.sentTo, undefined)
      }
    })

    test(`${PROCESSES} processes that refresh at once all go on, and refresh again`, async (t) => {
      mock.timers.enable({ apis: ['Date'], now: Date.now() })
      t.after(() => mock.timers.reset())
      await using stand = await startOAuthStand()
      const memory = new Memory()
      await using _first = await signedIn(sdk, stand, memory)
      await using parts = new AsyncDisposableStack()
      const processes = Array.from({ length: PROCESSES }, () => {
        const own = memory.twin()
        return { own, client: parts.use(sdk.client(stand.endpoint, own)) }
      })
      await Promise.all(processes.map(({ client }) => client.connect()))
      for (const saved of [1, 2]) {
        mock.timers.tick(2 * HOUR_MS)
        await Promise.all(processes.map(({ client }) => assertServes(client)))
        for (const { own } of processes) {
          assert.equal(own.sentTo, undefined, 'nobody was sent to the browser')
          assert.ok(own.saved >= saved)
        }
      }
    })

    test('registers anew when the server has forgotten it', async () => {
      await using stand = await startOAuthStand()
      const memory = new Memory({ client: { client_id: 'forgotten', issuer: stand.gateway.url } })
      memory.kept = { access_token: 'old', token_type: 'bearer', refresh_token: 'old', issuer: stand.gateway.url }
      await using client = sdk.client(stand.endpoint, memory)
      await assert.rejects(client.connect(), sdk.isUnauthorized)
      assert.notEqual(memory.client?.client_id, 'forgotten')
      await client.finish(await answerOf(stand, memory))
      await client.connect()
      await assertServes(client)
    })
  })
}

/** A connection of somebody who has signed in: the whole way from a 401. */
async function signedIn(sdk: SdkVersion, stand: OAuthStand, memory: Memory, email?: string): Promise<SdkClient> {
  const client = sdk.client(stand.endpoint, memory)
  await assert.rejects(client.connect(), sdk.isUnauthorized)
  await client.finish(await answerOf(stand, memory, email))
  await client.connect()
  return client
}

function answerOf({ gateway }: OAuthStand, { sentTo }: Memory, email?: string): Promise<URL> {
  assert.ok(sentTo)
  return signInAndAllow(new Browser(gateway.url), sentTo.href, email)
}

async function assertServes(client: SdkClient): Promise<void> {
  const tools = await client.list()
  for (const tool of TOOLS) assert.ok(tools.includes(tool), tools.join(' '))
  for (const tool of TOOLS) assert.match(await client.call(tool), /ok/)
}
