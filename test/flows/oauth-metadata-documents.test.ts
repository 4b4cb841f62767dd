import assert from 'node:assert/strict'
import https from 'node:https'
import { after, before, suite, test } from 'node:test'
import tls from 'node:tls'
import { close, listen } from '../../src/test-api/wire.ts'
import { makeCertificate } from './certificate.ts'
import { REDIRECT, StrictClient } from './oauth-client.ts'
import { Browser, pageOf, startOAuthStand } from './oauth-stand.ts'

const certificate = makeCertificate({ names: ['127.0.0.1'] })
const trustedBefore = tls.getCACertificates()

before(() => tls.setDefaultCACertificates([...trustedBefore, certificate.cert]))
after(() => tls.setDefaultCACertificates(trustedBefore))

/** A site that describes a client. */
async function startSite(document: (url: string) => unknown, headers: Readonly<Record<string, string>> = {}) {
  const seen: string[] = []
  const server = https.createServer(certificate, (request, response) => {
    seen.push(request.url ?? '')
    response.writeHead(200, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(document(`https://127.0.0.1:${port}/client.json`)))
  })
  const port: number = await listen(server, { host: '127.0.0.1', port: 0 })
  return {
    ...{ seen, host: `127.0.0.1:${port}`, id: `https://127.0.0.1:${port}/client.json` },
    [Symbol.asyncDispose]: () => close(server),
  }
}

const document = (client_id: string) => ({
  ...{ client_id, client_name: 'Documented', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
})

suite('a client may be the https URL of its metadata (C15)', () => {
  test('it is fetched, shown with its host, and gets tokens', async () => {
    await using site = await startSite(document)
    await using stand = await startOAuthStand({ egress: { allowedHosts: [site.host] } })
    const client = (await StrictClient.register(stand)).as(site.id)
    const browser = new Browser(stand.gateway.url)
    const page = pageOf(await browser.open((await client.request()).url))
    assert.match(page.html, /Documented/)
    assert.match(page.html, new RegExp(`described at <strong>${site.host}`))
    const tokens = await client.connect({ browser })
    assert.ok((await client.refresh(tokens.refreshToken)).accessToken)
    assert.deepEqual([...new Set(site.seen)], ['/client.json'])
  })

  test('nothing of this machine or its network is fetched for a stranger (T13)', async () => {
    await using site = await startSite(document)
    await using stand = await startOAuthStand()
    const client = await StrictClient.register(stand)
    for (const id of [site.id, 'https://localhost/c', 'https://169.254.169.254/c', 'https://[::1]/c']) {
      const page = pageOf(await new Browser(stand.gateway.url).open((await client.as(id).request()).url))
      assert.equal(page.status, 400, id)
    }
    assert.deepEqual(site.seen, [])
  })

  test('a document that speaks for another client, or has a secret, counts for nothing', async () => {
    const wrong = [
      (id: string) => ({ ...document(id), client_id: `${id}x` }),
      (id: string) => ({ ...document(id), client_secret: 'secret' }),
      (id: string) => ({ ...document(id), token_endpoint_auth_method: 'client_secret_basic' }),
      (id: string) => ({ ...document(id), redirect_uris: [REDIRECT, 'javascript:alert(1)'] }),
      (id: string) => ({ ...document(id), redirect_uris: [REDIRECT, 'https://you@app.example/cb'] }),
      (id: string) => ({ ...document(id), padding: 'x'.repeat(100_000) }),
      () => [],
    ]
    for (const make of wrong) {
      await using site = await startSite(make)
      await using stand = await startOAuthStand({ egress: { allowedHosts: [site.host] } })
      const client = (await StrictClient.register(stand)).as(site.id)
      assert.equal(pageOf(await new Browser(stand.gateway.url).open((await client.request()).url)).status, 400)
    }
  })

  test('is refused where the operator has switched it off', async () => {
    await using site = await startSite(document)
    const registration = { metadataDocuments: false }
    await using stand = await startOAuthStand({
      ...{ oauth: { registration }, egress: { allowedHosts: [site.host] } },
    })
    const client = (await StrictClient.register(stand)).as(site.id)
    assert.equal(pageOf(await new Browser(stand.gateway.url).open((await client.request()).url)).status, 400)
    assert.deepEqual(site.seen, [])
  })
})
