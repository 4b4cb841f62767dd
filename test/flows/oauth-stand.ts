import type { EgressOptions } from '../../src/egress/create-egress.ts'
import { type Answered, adminClient, mcpClient } from '../../src/testing/clients.ts'
import { Browser, leftOf, type Page, pageOf } from '../../src/testing/page-browser.ts'
import { type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

export const PASSWORD = 'correct horse battery staple'
export const ADA = 'ada@example.com'

/** The API behind: one thing that everybody may do, one that needs a scope, one for administrators. */
const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Orders', version: '1' },
  paths: {
    '/orders': { get: { operationId: 'listOrders', responses: {} } },
    '/refunds': { get: { operationId: 'listRefunds', responses: {} } },
    '/secrets': { get: { operationId: 'listSecrets', responses: {} } },
  },
}

export interface OAuthStandOptions {
  /** `oauth` of the configuration. */
  readonly oauth?: Readonly<Record<string, unknown>>
  /** `auth` of the workspace. */
  readonly auth?: Readonly<Record<string, unknown>>
  readonly config?: Readonly<Record<string, unknown>>
  /** Flags, named as `loadConfig` takes them. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly egress?: EgressOptions
  readonly now?: () => number
  readonly role?: string
}

/** A gateway with a workspace that people sign in to, and one person. */
export interface OAuthStand extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly endpoint: string
  readonly api: RecordingApi
  readonly admin: ReturnType<typeof adminClient>
  /** Makes another workspace on the same API. */
  addWorkspace(name: string, settings?: Readonly<Record<string, unknown>>): Promise<string>
  /** Makes a person of the account. Gives the id. */
  addPerson(email: string, role?: string): Promise<string>
}

export async function startOAuthStand(options: OAuthStandOptions = {}): Promise<OAuthStand> {
  const { oauth = {}, auth = { authType: 'oauth' }, config = {}, flags = {}, egress, now, role = 'developer' } = options
  await using parts = new AsyncDisposableStack()
  const api = parts.use(await startRecordingApi())
  const gateway = parts.use(
    await startGateway({
      config: { oauth, ...config },
      flags,
      ...(egress === undefined ? {} : { egress }),
      ...(now === undefined ? {} : { now }),
    }),
  )
  const admin = adminClient(gateway)
  const addWorkspace = async (name: string, settings: Readonly<Record<string, unknown>> = {}) => {
    const source = { document: JSON.stringify(DOCUMENT) }
    const access = { toolScopes: { listRefunds: ['refunds:read'] }, adminTools: ['listSecrets'] }
    const made = await gateway.makeWorkspace({
      ...{ name, source, auth, access, tools: 'all', upstream: { baseUrl: api.url } },
      ...settings,
    })
    return made.endpoint
  }
  const addPerson = async (email: string, ofRole = role) => {
    const body = { email, name: email.split('@')[0], role: ofRole, password: PASSWORD }
    const made: Answered = await admin.send('POST', '/api/people', body)
    if (made.status !== 201) throw new Error(made.text)
    return String(Object(made.json).id)
  }
  const endpoint = await addWorkspace('Orders')
  await addPerson(ADA)
  const started = parts.move()
  return {
    ...{ gateway, endpoint, api, admin, addWorkspace, addPerson },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** Signs in on the page that stands there and gives the consent page. */
export async function signIn(browser: Browser, page: Page, email = ADA, password = PASSWORD): Promise<Page> {
  return pageOf(await browser.submit(page, 'password', { email, password }))
}

/** Goes through everything that a person is asked, and says yes. Gives where the browser was sent. */
export async function signInAndAllow(browser: Browser, url: string, email = ADA): Promise<URL> {
  const first = pageOf(await browser.open(url))
  const consent = first.forms.some(({ buttons }) => buttons.includes('password'))
    ? await signIn(browser, first, email)
    : first
  return leftOf(await browser.submit(consent, 'allow'))
}

export { Browser, leftOf, mcpClient, pageOf }
