import { type Html, html, plainText } from './html.ts'

/** The client that asks, as people are told of it. What it says of itself was checked by nobody, unless the operator wrote it. */
export interface AskingClient {
  readonly name: string
  /** The operator wrote it into the configuration. */
  readonly isKnown: boolean
  /** Of a client that is a metadata document: the host that vouches for it. */
  readonly documentHost: string | undefined
  /** Empty: the answer waits for a device, which asks for it (RFC 8628). */
  readonly redirectUri: string
}

/** What the client calls itself, fit for a page. */
export function nameOf({ name }: AskingClient): string {
  return plainText(name, 60)
}

/** Where the answer goes, in words: the host, or the scheme by which a program on this machine is opened. */
export function destinationOf(redirectUri: string): string {
  if (redirectUri === '') return 'the device that shows the code'
  const url = URL.parse(redirectUri)
  if (url === null) return 'an unknown place'
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `a program on this device (${url.protocol}//)`
  return isThisDevice(url.hostname) ? `a program on this device (${url.host})` : url.host
}

/** Said of whoever was not written into the configuration by the operator. */
export function warningAbout(client: AskingClient): Html | undefined {
  if (client.isKnown) return undefined
  if (client.documentHost !== undefined) {
    return html`<p class="note">This app is not verified. It is described at <strong>${client.documentHost}</strong>; continue only if you trust that site and have just started this.</p>`
  }
  return html`<p class="note">This app is not verified: it chose its name itself. Continue only if you have just started this yourself.</p>`
}

function isThisDevice(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}
