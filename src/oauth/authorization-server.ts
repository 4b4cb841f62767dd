import type { Provider } from 'oidc-provider'
import { GatewayError, toGatewayError } from '../errors.ts'
import { oauthErrorAnswer } from '../http/error-response.ts'
import type { Answer, Exchange } from '../http/exchange.ts'
import { accessTokenRevocation } from './access-token-revocation.ts'
import { registrationOf } from './client-policy.ts'
import type { Connections } from './connections.ts'
import type { Cookies } from './cookies.ts'
import { codeFormBody, codePageTarget } from './grants/device-flow.ts'
import type { LimitedSurface, SurfaceLimits } from './limits.ts'
import { type MetadataPath, metadataAt, publishedMetadata } from './metadata.ts'
import { messagePage } from './pages/message-page.ts'
import type { Pages } from './pages/page.ts'
import { METHODS, PAGES, type Place, placeOf, READING } from './places.ts'
import { GRANT_TYPES } from './provider.ts'
import { type ProviderAnswer, type ProviderCallback, runProvider, toAnswer } from './provider-exchange.ts'
import type { RegisteredClients } from './registered-clients.ts'
import { authorizeParameters, tokenParameters } from './request-parameters.ts'
import type { OAuthResources } from './resources.ts'
import { ROUTES } from './routes.ts'
import type { SessionStorage } from './session-storage.ts'
import type { SignIn } from './sign-in.ts'
import type { SignOut } from './sign-out.ts'
import type { UserInfo, VerifyAccessToken } from './userinfo.ts'

/** Headers of a request that the library may see. */
const SEEN_HEADERS = ['authorization', 'dpop', 'content-type', 'accept', 'origin'] as const

export interface AuthorizationServerParts {
  /** Our issuer, and the address that everything here is printed with, exactly. */
  readonly issuer: string
  /** The metadata may be kept by caches: it is the same for everybody. */
  readonly isOnly: boolean
  readonly resources: OAuthResources
  readonly provider: Provider
  readonly clients: RegisteredClients
  readonly cookies: Cookies
  readonly pages: Pages
  readonly limits: SurfaceLimits
  readonly units: SessionStorage['units']
  /** Some client of the settings may connect devices. */
  readonly hasDevices: boolean
  /** Told of what is refused without a record. */
  readonly onRefused: (exchange: Exchange, error: unknown) => void
  /** Told of what is no fault of the caller. */
  readonly onServerError: (error: unknown) => void
  readonly verifyAccessToken: VerifyAccessToken
  readonly connections: Connections
  readonly signIn: SignIn
  readonly signOut: SignOut
  readonly userInfo: UserInfo
}

/** The surfaces of the authorization server as one issuer: every request of theirs, answered. */
export class AuthorizationServer {
  readonly #parts: AuthorizationServerParts
  readonly #callback: ProviderCallback

  constructor(parts: AuthorizationServerParts) {
    this.#parts = parts
    this.#callback = parts.provider.callback()
  }

  async #metadata(found: MetadataPath): Promise<Answer> {
    const { issuer, isOnly } = this.#parts
    if (found.kind === 'moved') return { status: 302, headers: { Location: issuer + found.to } }
    const target = '/.well-known/openid-configuration'
    const { body } = await runProvider(this.#callback, { method: 'GET', target, headers: {}, body: '' }, issuer)
    return {
      status: 200,
      // A cache in front knows us by one name: it would hand out what stands here at our other ones.
      ...(isOnly ? { headers: { 'Cache-Control': 'public, max-age=300' } } : {}),
      body: JSON.stringify(publishedMetadata(JSON.parse(body))),
    }
  }

  /** Answers a request of a path that `placeOf` or `metadataAt` knows. Throws nothing that is the caller's fault. */
  async answer(exchange: Exchange): Promise<Answer> {
    const place = placeOf(exchange.path)
    try {
      const metadata = metadataAt(exchange.path, this.#parts.resources)
      const allow = place === undefined ? READING : (METHODS[place.route] ?? [])
      if (metadata === undefined && place === undefined) throw nothingHere()
      if (!allow.includes(exchange.method)) {
        throw new GatewayError('method_not_allowed', `This address takes ${allow.join(', ')}.`, { allow })
      }
      if (metadata !== undefined) return await this.#metadata(metadata)
      if (place === undefined) throw nothingHere()
      this.#parts.limits.take(surfaceOf(place, exchange.method), exchange.clientAddress)
      // All that a request changes is kept together, and a failure of the storage is told as one.
      return await this.#parts.units.serve(() => this.#serve(exchange, place))
    } catch (error) {
      if (toGatewayError(error).code === 'rate_limited') this.#parts.onRefused(exchange, error)
      const answer = oauthErrorAnswer(error)
      if (answer.status >= 500) this.#parts.onServerError(error)
      return place !== undefined && PAGES.has(place.route) ? this.#errorPage(error, answer) : answer
    }
  }

  async #serve(exchange: Exchange, { route, rest }: Place): Promise<Answer> {
    const { signIn, signOut, userInfo, issuer, resources } = this.#parts
    const isPost = exchange.method === 'POST'
    const terms = { publicUrl: issuer, resources }
    switch (route) {
      case ROUTES.signIn:
        return isPost ? signIn.submit(exchange, rest ?? '') : signIn.show(exchange, rest ?? '')
      case ROUTES.callback:
        return signIn.callback(exchange)
      case ROUTES.signOut:
        return isPost ? signOut.submit(exchange) : signOut.show(exchange)
      case ROUTES.library.userinfo:
        return userInfo.answer(exchange)
      case ROUTES.library.authorization: {
        if (rest !== undefined) return this.#run(exchange, `${route}/${rest}`, { uid: rest })
        return this.#run(exchange, `${route}?${authorizeParameters(exchange.query, terms)}`)
      }
      case ROUTES.library.token:
        return this.#run(exchange, route, { body: tokenParameters(await exchange.readBody(), terms) })
      case ROUTES.library.revocation:
        return this.#revoke(exchange, route)
      case ROUTES.library.registration:
        return this.#register(exchange, route)
      case ROUTES.library.device_authorization:
      case ROUTES.library.code_verification:
        return this.#device(exchange, { route, rest })
      default:
        return this.#run(exchange, route, { body: await exchange.readBody() })
    }
  }

  /** RFC 8628. Not there while no client of the settings has it. */
  async #device(exchange: Exchange, { route, rest }: Place): Promise<Answer> {
    const { issuer, resources, hasDevices, cookies, provider } = this.#parts
    const isPost = exchange.method === 'POST'
    if (!hasDevices || (rest !== undefined && isPost)) throw nothingHere()
    if (rest !== undefined || (isPost && route === ROUTES.library.code_verification)) {
      // The library fails where the session is gone in which the page was made.
      const session = await provider.Session.find(cookies.sessionOf(exchange.header('cookie')) ?? '')
      if (session === undefined)
        throw new GatewayError('invalid_request', 'This page is too old. Enter the code again.')
    }
    if (rest !== undefined) return this.#run(exchange, `${route}/${rest}`, { uid: rest })
    if (!isPost) return this.#run(exchange, codePageTarget(exchange.query))
    const body = await exchange.readBody()
    if (route === ROUTES.library.code_verification) return this.#run(exchange, route, { body: codeFormBody(body) })
    return this.#run(exchange, route, { body: authorizeParameters(body, { publicUrl: issuer, resources }) })
  }

  /** The library proves the client; an access token is ended by its grant, and only by the client that it is of. */
  async #revoke(exchange: Exchange, route: string): Promise<Answer> {
    const body = await exchange.readBody()
    const ofAccessToken = accessTokenRevocation(body, exchange.header('authorization'))
    if (ofAccessToken === undefined) return this.#run(exchange, route, { body })
    const answer = await this.#run(exchange, route, { body: ofAccessToken.body })
    if (answer.status !== 200) return answer
    const verified = await this.#parts.verifyAccessToken(ofAccessToken.token)
    if (verified === undefined || verified.clientId !== ofAccessToken.clientId) return answer
    // It stands on nothing that is this client's to end (RFC 7009 §2.2.1).
    if (verified.grantId === undefined)
      return { status: 400, body: JSON.stringify({ error: 'unsupported_token_type' }) }
    await this.#parts.connections.end(verified.grantId)
    return answer
  }

  async #register(exchange: Exchange, route: string): Promise<Answer> {
    const body = await exchange.readBody()
    const asked = jsonObject(body)
    // The library says what is wrong with a body that is no object.
    if (asked === undefined) return this.#run(exchange, route, { body })
    const registration = registrationOf(asked, GRANT_TYPES)
    if (!registration.ok) {
      const { error, description } = registration
      return { status: 400, body: JSON.stringify({ error, error_description: description }) }
    }
    this.#parts.clients.admit(exchange.clientAddress)
    const answer = await this.#run(exchange, route, { body: JSON.stringify(registration.metadata) })
    const made = answer.status === 201 ? jsonObject(answer.body ?? '') : undefined
    if (made === undefined) return answer
    // No member of RFC 7591 says so: it knows of secrets that end, not of clients.
    return { ...answer, body: JSON.stringify({ ...made, client_id_expires_at: this.#parts.clients.unusedUntil }) }
  }

  /** Has the library answer. */
  async #run(
    exchange: Exchange,
    target: string,
    { body = '', uid }: { readonly body?: string; readonly uid?: string } = {},
  ): Promise<Answer> {
    const { cookies, issuer } = this.#parts
    const cookie = exchange.header('cookie')
    const headers: Record<string, string> = { ...cookies.toLibrary(cookie, uid) }
    for (const name of SEEN_HEADERS) {
      const value = exchange.header(name)
      if (value !== undefined) headers[name] = value
    }
    const { method } = exchange
    const answer: ProviderAnswer = await runProvider(this.#callback, { method, target, headers, body }, issuer)
    return { ...toAnswer(answer), cookies: cookies.fromLibrary(answer.cookies, cookie, uid) }
  }

  /** The same for people: with its headers, which say what may be asked here, and when again. */
  #errorPage(thrown: unknown, { status, headers }: Answer): Answer {
    const error = toGatewayError(thrown)
    const detail = error.code === 'internal' ? 'Something went wrong here. Try again later.' : error.message
    const title = 'This did not work'
    const page = this.#parts.pages.page({ status, title, body: messagePage({ title, detail }) })
    return { ...page, headers: { ...page.headers, ...headers } }
  }
}

function nothingHere(): GatewayError {
  return new GatewayError('not_found', 'There is nothing at this address.')
}

function surfaceOf({ route, rest }: Place, method: string): LimitedSurface {
  if (route === ROUTES.library.code_verification && method === 'POST') return 'deviceCode'
  if (route === ROUTES.library.device_authorization) return 'authorize'
  if (route === ROUTES.library.registration) return 'register'
  if (route === ROUTES.library.token) return 'token'
  return route === ROUTES.library.authorization && rest === undefined ? 'authorize' : 'other'
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : undefined
  } catch {
    return undefined
  }
}
