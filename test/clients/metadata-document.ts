import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { makeCertificate } from '../flows/certificate.ts'
import { serveTls } from '../flows/doctor-stand.ts'

/** The site of a client: on this machine, with a certificate that this process trusts. */
export interface ClientSite extends AsyncDisposable {
  /** The client's id: the address of its document. */
  readonly clientId: string
  /** How often the document was asked for. */
  readonly asked: () => number
  /** Of a gateway whose operator has allowed the site although it is private. Without it nobody is asked (THREATS.md, T13). */
  readonly config: { readonly privateHosts: readonly string[] }
}

/** Serves a client metadata document (draft-ietf-oauth-client-id-metadata-document-00 §4); `client_id` is added. */
export async function startClientSite(metadata: Readonly<Record<string, unknown>>): Promise<ClientSite> {
  const certificate = makeCertificate({ names: ['localhost'] })
  const trusted = getCACertificates('default')
  setDefaultCACertificates([...trusted, certificate.cert])
  const state = { asked: 0, clientId: '' }
  const server = await serveTls(certificate, (_request, response) => {
    state.asked += 1
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ client_id: state.clientId, ...metadata }))
  })
  const host = `localhost:${server.port}`
  state.clientId = `https://${host}/client.json`
  return {
    clientId: state.clientId,
    asked: () => state.asked,
    config: { privateHosts: [host] },
    async [Symbol.asyncDispose]() {
      setDefaultCACertificates(trusted)
      await server[Symbol.asyncDispose]()
    },
  }
}
