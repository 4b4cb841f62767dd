import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { makeCertificate } from '../flows/certificate.ts'
import { proxyTo, serve, serveTls } from '../flows/doctor-stand.ts'
import { StrictClient } from '../flows/oauth-client.ts'
import { type OAuthStand, type OAuthStandOptions, startOAuthStand } from '../flows/oauth-stand.ts'

/** A gateway behind a proxy with a certificate, as people run it, and a client on this machine that takes its answers. */
export interface SecureStand extends AsyncDisposable {
  readonly stand: OAuthStand
  /** The gateway's public URL: https. */
  readonly url: string
  /** The client's own site, http on loopback: another origin and another site. */
  readonly clientUrl: string
  /** Paths and queries that came to the client, oldest first. */
  readonly answers: readonly string[]
  /** The next pages that the client's site shows, by path. */
  readonly pages: Map<string, string>
  /** An authorization request of a client of this name, which registers the first time. */
  authorizationUrl(clientName: string): Promise<string>
}

export async function startSecureStand(options: OAuthStandOptions = {}): Promise<SecureStand> {
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
  const config = { publicUrl: proxy.url, auth: { authType: 'oauth' }, ...options.config }
  const stand = parts.use(await startOAuthStand({ ...options, config }))
  made.target = stand.gateway.running.url
  const answers: string[] = []
  const pages = new Map<string, string>()
  const client = parts.use(
    await serve((request, response) => {
      const target = request.url ?? '/'
      answers.push(target)
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      response.end(pages.get(target.split('?', 1).join()) ?? '<!doctype html><title>Back</title><p>Back at the app</p>')
    }),
  )
  const redirect = `${client.url}/callback`
  const clients = new Map<string, StrictClient>()
  const started = parts.move()
  return {
    ...{ stand, url: proxy.url, clientUrl: client.url, answers, pages },
    async authorizationUrl(clientName) {
      const metadata = { client_name: clientName, redirect_uris: [redirect] }
      const strict = clients.get(clientName) ?? (await StrictClient.register(stand, metadata))
      clients.set(clientName, strict)
      return (await strict.request({ params: { redirect_uri: redirect } })).url
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
