import type { Provider, Session } from 'oidc-provider'
import type { Answer, Exchange } from '../http/exchange.ts'
import type { AuditEvent, Origin } from '../records/audit-event.ts'
import { appEvent } from './connected-apps.ts'
import type { Connection, Connections } from './connections.ts'
import type { Cookies } from './cookies.ts'
import { messagePage, signOutPage } from './pages/message-page.ts'
import type { Pages } from './pages/page.ts'
import type { Principals } from './principals.ts'
import { findResource, type OAuthResources } from './resources.ts'
import { ROUTES } from './routes.ts'
import type { OAuthSettings } from './settings.ts'

export interface SignOutOptions {
  readonly publicUrl: string
  readonly provider: Provider
  readonly settings: Pick<OAuthSettings, 'requireValidSession'>
  readonly resources: OAuthResources
  readonly principals: Principals
  readonly connections: Connections
  readonly cookies: Cookies
  readonly pages: Pages
  /** Writes to the audit. */
  readonly note: (event: AuditEvent) => Promise<void>
}

const PURPOSE = 'sign-out'
const NOBODY = { title: 'You are signed out', detail: 'Nobody is signed in in this browser.' }

/** Ends the session of a browser and, with `requireValidSession`, the access that was given in it (FEATURES C13). */
export class SignOut {
  readonly #options: SignOutOptions

  constructor(options: SignOutOptions) {
    this.#options = options
  }

  async show(exchange: Exchange): Promise<Answer> {
    const { publicUrl, cookies, pages, principals } = this.#options
    const session = await this.#session(exchange)
    if (session?.accountId === undefined) return this.#nobody()
    const principal = await principals.find(session.accountId)
    const body = signOutPage({
      action: `${publicUrl}${ROUTES.signOut}`,
      formKey: cookies.formKey(session.uid, PURPOSE),
      person: principal?.email ?? principal?.name ?? 'somebody who is no longer here',
    })
    return pages.page({ title: 'Sign out', body })
  }

  async submit(exchange: Exchange): Promise<Answer> {
    const { cookies, connections, settings } = this.#options
    const form = new URLSearchParams(await exchange.readBody())
    const session = await this.#session(exchange)
    if (session === undefined) return this.#nobody()
    if (!cookies.isFormKey(form.get('key') ?? '', session.uid, PURPOSE)) return this.show(exchange)
    if (session.accountId !== undefined && settings.requireValidSession) {
      const { clientAddress, requestId } = exchange
      const by: Origin = { actor: 'person', subject: session.accountId, clientAddress, requestId }
      const ended = await connections.endOfPerson(session.accountId, ({ sessionUid }) => sessionUid === session.uid)
      for (const connection of ended) await this.#noteEnd(connection, by)
    }
    if (session.accountId !== undefined) await connections.endSession(session.uid)
    await session.destroy()
    return this.#nobody()
  }

  #noteEnd({ grantId: id, clientName: name, resources: given }: Connection, by: Origin): Promise<void> {
    const { resources, publicUrl, note } = this.#options
    const [[url, scope] = ['', '']] = Object.entries(given)
    const accountId = findResource(url, { resources, publicUrl })?.accountId
    return note(appEvent('app.disconnected', { id, name, accountId, scopes: scope.split(' ') }, by))
  }

  #session(exchange: Exchange): Promise<Session | undefined> {
    const id = this.#options.cookies.sessionOf(exchange.header('cookie'))
    return id === undefined ? Promise.resolve(undefined) : this.#options.provider.Session.find(id)
  }

  #nobody(): Answer {
    const { pages, cookies } = this.#options
    return pages.page({ title: NOBODY.title, body: messagePage(NOBODY), cookies: [cookies.forgetSession()] })
  }
}
