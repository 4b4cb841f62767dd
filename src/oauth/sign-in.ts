import type { Client, Interaction, InteractionResult, Provider, Session } from 'oidc-provider'
import { GatewayError } from '../errors.ts'
import type { Answer, Exchange } from '../http/exchange.ts'
import type { AuditEvent, Origin } from '../records/audit-event.ts'
import { appEvent } from './connected-apps.ts'
import type { Connections } from './connections.ts'
import { type Cookies, FLOW_SECONDS } from './cookies.ts'
import type { FederatedSignIn } from './federated-sign-in.ts'
import type { AskingClient } from './pages/asking-client.ts'
import { consentPage } from './pages/consent-page.ts'
import { messagePage, onwardPage } from './pages/message-page.ts'
import type { Pages } from './pages/page.ts'
import { signInPage } from './pages/sign-in-page.ts'
import type { Principal, Principals } from './principals.ts'
import type { RegisteredClients } from './registered-clients.ts'
import { findResource, type OAuthResource, type OAuthResources } from './resources.ts'
import { ROUTES } from './routes.ts'
import type { OAuthSettings } from './settings.ts'
import { PERSON_SCOPES, scopeInWords } from './workspace-scopes.ts'

export interface SignInOptions {
  readonly publicUrl: string
  readonly provider: Provider
  readonly settings: OAuthSettings
  readonly resources: OAuthResources
  readonly principals: Principals
  readonly connections: Connections
  readonly clients: RegisteredClients
  readonly cookies: Cookies
  readonly pages: Pages
  /** Told of refused passwords, which leave no record. */
  readonly onRefused: (exchange: Exchange, error: unknown) => void
  readonly federated: FederatedSignIn
  /** Writes to the audit. */
  readonly note: (event: AuditEvent) => Promise<void>
  /** How long what was allowed is remembered, seconds. */
  readonly grantTtlSeconds: number
}

/** A sign-in under way: what was asked, by which client, for which workspace. */
interface Flow {
  readonly interaction: Interaction
  readonly client: Client
  readonly asking: AskingClient
  readonly resource: OAuthResource
  /** Who is signed in in this browser. */
  readonly principal: Principal | undefined
  readonly action: string
  readonly formKey: string
}

const OVER = {
  title: 'Start again',
  detail:
    'This sign-in took too long, is over, or was begun in another browser. Go back to your app and connect again.',
}

/** The pages between the request of a client and the answer that it gets: who it is, and whether the client may. */
export class SignIn {
  readonly #options: SignInOptions

  constructor(options: SignInOptions) {
    this.#options = options
  }

  /** Shows what is to be done next. */
  async show(exchange: Exchange, uid: string): Promise<Answer> {
    const flow = await this.#flow(exchange, uid)
    return flow === undefined ? this.#over() : this.#page(flow)
  }

  /** Takes a form. Only one that we made for this sign-in in this browser counts (THREATS.md, T6). */
  async submit(exchange: Exchange, uid: string): Promise<Answer> {
    const form = new URLSearchParams(await exchange.readBody())
    const flow = await this.#flow(exchange, uid)
    if (flow === undefined) return this.#over()
    const { interaction } = flow
    if (!this.#options.cookies.isFormKey(form.get('key') ?? '', uid, interaction.prompt.name)) return this.#over()
    const isConsent = interaction.prompt.name === 'consent'
    switch (form.get('do')) {
      case 'deny':
        return this.#sendBack(interaction, { error: 'access_denied', error_description: 'The person said no.' })
      case 'password':
        return isConsent ? this.#over() : this.#password(exchange, flow, form)
      case 'provider':
        if (isConsent) return this.#over()
        return this.#onward(await this.#options.federated.begin(form.get('provider') ?? '', uid))
      case 'allow':
        return isConsent ? this.#allow(flow, exchange) : this.#over()
      case 'switch':
        return isConsent ? this.#switch(exchange, flow) : this.#over()
      default:
        return this.#over()
    }
  }

  /** A provider has sent the browser back. */
  async callback(exchange: Exchange): Promise<Answer> {
    const returned = await this.#options.federated.finish(exchange)
    if (returned === undefined) return this.#over()
    const flow = await this.#flow(exchange, returned.uid)
    if (flow === undefined || flow.interaction.prompt.name !== 'login') return this.#over()
    if (!returned.ok) return this.#page(flow, { problem: returned.problem, status: 403 })
    return this.#enter(exchange, flow, { principal: returned.principal, amr: returned.amr })
  }

  async #flow(exchange: Exchange, uid: string): Promise<Flow | undefined> {
    const { cookies, provider, principals, resources, publicUrl } = this.#options
    if (!cookies.holdsFlow(exchange.header('cookie'), uid)) return undefined
    const interaction = await provider.Interaction.find(uid)
    if (interaction === undefined || interaction.result !== undefined) return undefined
    const client = await provider.Client.find(textOf(interaction.params['client_id']))
    const resource = findResource(textOf(interaction.params['resource']), { resources, publicUrl })
    if (client === undefined || resource === undefined) return undefined
    const session = await this.#sessionOf(exchange, interaction)
    if (session === 'another') return undefined
    return {
      interaction,
      client,
      asking: this.#asking(client, textOf(interaction.params['redirect_uri'])),
      resource,
      principal: session === undefined ? undefined : await principals.find(session),
      action: `${publicUrl}${ROUTES.signIn}/${uid}`,
      formKey: cookies.formKey(uid, interaction.prompt.name),
    }
  }

  /** Who is signed in; `another`: not who was when this page was due. */
  async #sessionOf(exchange: Exchange, interaction: Interaction): Promise<string | 'another' | undefined> {
    if (interaction.session === undefined) return undefined
    const session = await this.#sessionIn(exchange)
    const isSame = session?.uid === interaction.session.uid && session.accountId === interaction.session.accountId
    return isSame ? session.accountId : 'another'
  }

  #sessionIn(exchange: Exchange): Promise<Session | undefined> {
    const { cookies, provider } = this.#options
    return provider.Session.find(cookies.sessionOf(exchange.header('cookie')) ?? '')
  }

  #asking({ clientId, clientName }: Client, redirectUri: string): AskingClient {
    return {
      name: clientName ?? 'An app without a name',
      isKnown: this.#options.settings.clients.some(({ id }) => id === clientId),
      documentHost: clientId.startsWith('https://') ? URL.parse(clientId)?.host : undefined,
      redirectUri,
    }
  }

  #page(
    flow: Flow,
    wrong: { readonly problem?: string; readonly status?: number; readonly email?: string } = {},
  ): Answer {
    const { pages, federated } = this.#options
    const { interaction, asking, resource, principal, action, formKey } = flow
    const { problem, status = 200, email = '' } = wrong
    const workspace = resource.name
    if (interaction.prompt.name === 'consent') {
      if (principal === undefined) return this.#over()
      const mayUse = this.#options.principals.mayUse(principal, resource)
      const body = consentPage({
        ...{ action, formKey, client: asking, workspace },
        person: principal.email ?? principal.name,
        scopes: this.#scopesOf(flow, principal).map((scope) => scopeInWords(scope, workspace)),
        problem: mayUse ? undefined : `You may not use ${workspace}. Ask whoever runs it, or use another account.`,
      })
      return pages.page({ title: 'Allow access', body })
    }
    const body = signInPage({
      ...{ action, formKey, client: asking, workspace, problem, email },
      providers: federated.providers,
      hasPasswords: true,
    })
    return pages.page({ status, title: 'Sign in', body })
  }

  async #password(exchange: Exchange, flow: Flow, form: URLSearchParams): Promise<Answer> {
    const email = (form.get('email') ?? '').slice(0, 254)
    const { clientAddress, requestId } = exchange
    const by = { actor: 'anonymous', clientAddress, requestId } as const
    let principal: Principal
    try {
      principal = await this.#options.principals.signIn({ email, password: form.get('password') ?? '' }, by)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      this.#options.onRefused(exchange, error)
      return this.#page(flow, { ...refusal, email })
    }
    return this.#enter(exchange, flow, { principal, amr: 'pwd', email })
  }

  /** Somebody has proved who it is. Whoever may not use the workspace stays on the page, and may try as somebody else. */
  async #enter(
    exchange: Exchange,
    flow: Flow,
    { principal, amr, email = '' }: { readonly principal: Principal; readonly amr: string; readonly email?: string },
  ): Promise<Answer> {
    const { interaction, resource } = flow
    if (!this.#options.principals.mayUse(principal, resource)) {
      const problem = `${principal.email ?? principal.name} may not use ${resource.name}. Ask whoever runs it.`
      return this.#page(flow, { problem, status: 403, email })
    }
    // Of the browser and not of this sign-in: in another window somebody may have signed in since it was begun.
    const session = await this.#sessionIn(exchange)
    if (session?.accountId !== undefined && session.accountId !== principal.id) await leave(session)
    // When the request came: a password that was changed while it was looked at was the old one.
    const ts = Math.floor(exchange.startedAt / 1000)
    return this.#finish(interaction, { login: { accountId: principal.id, amr: [amr], remember: true, ts } })
  }

  async #allow(flow: Flow, { clientAddress, requestId }: Exchange): Promise<Answer> {
    const { provider, principals, connections, clients, grantTtlSeconds, note } = this.#options
    const { interaction, client, asking, resource, principal } = flow
    if (principal === undefined) return this.#over()
    if (!principals.mayUse(principal, resource)) return this.#page(flow)
    const scopes = this.#scopesOf(flow, principal)
    const grant = new provider.Grant({ accountId: principal.id, clientId: client.clientId })
    const ofPerson = scopes.filter((scope) => PERSON_SCOPES.some((one) => one === scope))
    if (ofPerson.length > 0) grant.addOIDCScope(ofPerson.join(' '))
    grant.addResourceScope(resource.url, scopes.join(' '))
    const grantId = await grant.save()
    const seen = { clientName: asking.name, redirectUri: asking.redirectUri, sessionUid: interaction.session?.uid }
    await connections.keep(grantId, seen, grantTtlSeconds)
    await clients.used(client.clientId)
    const by: Origin = { actor: 'person', subject: principal.id, name: principal.email, clientAddress, requestId }
    // Before the change is kept: what could not be written down is not given.
    await note(appEvent('app.connected', { id: grantId, name: asking.name, accountId: resource.accountId, scopes }, by))
    return this.#sendBack(interaction, { ...interaction.lastSubmission, consent: { grantId } })
  }

  /** Forgets who is signed in and asks again. */
  async #switch(exchange: Exchange, { interaction }: Flow): Promise<Answer> {
    const session = await this.#sessionIn(exchange)
    if (session !== undefined) await leave(session)
    return this.#finish(interaction, {})
  }

  /** What the client asks for, as far as this person may give it. */
  #scopesOf({ interaction, resource }: Flow, principal: Principal): readonly string[] {
    const forAdmins = this.#options.principals.isAdmin(principal, resource) ? resource.forAdmins : []
    const may: readonly string[] = [...PERSON_SCOPES, ...resource.ordinary, ...forAdmins]
    const asked = textOf(interaction.params['scope']).split(' ')
    return [...new Set(asked)].filter((scope) => may.includes(scope))
  }

  /** Goes on with pages of ours. */
  async #finish(interaction: Interaction, result: InteractionResult): Promise<Answer> {
    interaction.result = result
    await interaction.save(FLOW_SECONDS)
    return { status: 303, headers: { Location: interaction.returnTo } }
  }

  /** Ends it: what stands at `returnTo` sends the browser back to the client. */
  async #sendBack(interaction: Interaction, result: InteractionResult): Promise<Answer> {
    await this.#finish(interaction, result)
    return this.#onward(interaction.returnTo)
  }

  #onward(url: string): Answer {
    return this.#options.pages.page({ title: 'One moment', body: onwardPage(url), onward: url })
  }

  #over(): Answer {
    return this.#options.pages.page({ status: 400, title: OVER.title, body: messagePage(OVER) })
  }
}

/** Nobody is signed in any more in this browser. */
async function leave(session: Session): Promise<void> {
  session.accountId = undefined
  session.authorizations = undefined
  await session.persist()
}

/** What the page says of a refused password; undefined: that is not what went wrong. */
function refusalOf(error: unknown): { readonly problem: string; readonly status: number } | undefined {
  if (!(error instanceof GatewayError)) return undefined
  if (error.code === 'invalid_token') return { problem: 'The e-mail or the password is wrong.', status: 403 }
  if (error.code !== 'rate_limited') return undefined
  const minutes = Math.ceil((error.detail.retryAfterSeconds ?? 60) / 60)
  return { problem: `Too many tries. Wait ${minutes} min and try again.`, status: 429 }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
