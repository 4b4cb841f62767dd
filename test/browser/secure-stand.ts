import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { type IdentityProvider, startIdentityProvider } from '../../src/testing/identity-provider.ts'
import { makeCertificate } from '../flows/certificate.ts'
import { proxyTo, serve, serveTls } from '../flows/doctor-stand.ts'
import { StrictClient } from '../flows/oauth-client.ts'
import { type OAuthStand, startOAuthStand } from '../flows/oauth-stand.ts'

/** A gateway behind a proxy with a certificate, as people run it, and a client on this machine that takes its answers. */
export interface SecureStand extends AsyncDisposable {
  readonly stand: OAuthStand
  /** The gateway's public URL: https. */
  readonly url: string
  /** A company's identity provider, at which somebody is signed in; the sign-in page offers it. */
  readonly provider: IdentityProvider
  /** The client's own site, http on loopback: another origin and another site. */
  readonly clientUrl: string
  /** Paths and queries that came to the client, oldest first. */
  readonly answers: readonly string[]
  /** The next pages that the client's site shows, by path. */
  readonly pages: Map<string, string>
  /** Where the client's site sends browsers on to, by path. */
  readonly redirects: Map<string, string>
  /** An authorization request of a client of this name, which registers the first time. */
  authorizationUrl(clientName: string): Promise<string>
}

export async function startSecureStand(): Promise<SecureStand> {
  await using parts = new AsyncDisposableStack()
  const certificate = makeCertificate({ names: ['localhost', '127.0.0.1'] })
  const trusted = getCACertificates('default')
  setDefaultCACertificates([...trusted, certificate.cert])
  parts.defer(() => setDefaultCACertificates(trusted))
  const made = { target: '' }
  const proxy = parts.use(
    await serveTls(
      certificate,
      proxyTo(() => made.target),
    ),
  )
  const secret = { client_secret: 'a secret between us and the provider' }
  const back = { redirect_uris: [`${proxy.url}/oauth/callback/company`], response_types: ['code'] }
  const provider = parts.use(await startIdentityProvider({ clients: [{ client_id: 'gatehouse', ...secret, ...back }] }))
  const company = {
    ...{ type: 'oidc', id: 'company', name: 'Company', issuer: provider.url, allow: { domains: ['example.com'] } },
    ...{ clientId: 'gatehouse', clientSecret: secret.client_secret },
  }
  const config = { publicUrl: proxy.url, auth: { authType: 'oauth' } }
  const stand = parts.use(await startOAuthStand({ oauth: { providers: [company] }, config }))
  made.target = stand.gateway.running.url
  const answers: string[] = []
  const pages = new Map<string, string>()
  const redirects = new Map<string, string>()
  const client = parts.use(
    await serve((request, response) => {
      const target = request.url ?? '/'
      answers.push(target)
      const path = target.split('?', 1).join()
      const location = redirects.get(path)
      if (location !== undefined) {
        response.writeHead(302, { location }).end()
        return
      }
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      response.end(pages.get(path) ?? '<!doctype html><title>Back</title><p>Back at the app</p>')
    }),
  )
  const redirect = `${client.url}/callback`
  const clients = new Map<string, StrictClient>()
  const started = parts.move()
  return {
    ...{ stand, provider, url: proxy.url, clientUrl: client.url, answers, pages, redirects },
    async authorizationUrl(clientName) {
      const metadata = { client_name: clientName, redirect_uris: [redirect] }
      const strict = clients.get(clientName) ?? (await StrictClient.register(stand, metadata))
      clients.set(clientName, strict)
      return (await strict.request({ params: { redirect_uri: redirect } })).url
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
