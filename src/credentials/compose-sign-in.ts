import { GatewayError } from '../errors.ts'
import type { LoginSettings } from '../workspaces/settings.ts'
import type { SignInRequest } from './sign-in.ts'
import type { RefreshField } from './sign-in-answer.ts'
import { compileJsonTemplate, compileTemplate, missingParams, type Params } from './template.ts'

/** What differs from one sign-in to the next. */
export interface SignInOccasion {
  readonly requestId: string
  readonly timeoutMs: number
}

/** Makes the requests of one workspace's sign-ins. */
export interface SignInComposer {
  /** @throws GatewayError `credential_missing` with every param that is not set, `login_failed` for an unusable URL. */
  login(occasion: SignInOccasion): SignInRequest
  /** Only after a login was composed: that has checked the params of the refresh too. */
  refresh(occasion: SignInOccasion, token: string, field: RefreshField): SignInRequest
}

/** Compiles the templates of a login, once. Without settings the body is the `username` and `password` params. */
export function composeSignIns(settings: LoginSettings, params: Params): SignInComposer {
  const loginBody = compileJsonTemplate(settings.body ?? { username: '{{username}}', password: '{{password}}' })
  const refreshBody = settings.refreshBody === undefined ? undefined : compileJsonTemplate(settings.refreshBody)
  const headers = Object.entries(settings.headers).map(([name, text]) => ({ name, value: compileTemplate(text) }))
  const isForm = settings.contentType === 'form'
  const named = [...loginBody.names, ...(refreshBody?.names ?? []), ...headers.flatMap(({ value }) => value.names)]
  const needed = [...new Set(['login_url', ...named.filter((name) => name !== 'refresh_token')])]

  const compose = (occasion: SignInOccasion, kind: SignInRequest['kind'], body: unknown): SignInRequest => ({
    ...occasion,
    kind,
    url: kind === 'login' ? loginUrlOf(params) : refreshUrlOf(params),
    contentType: isForm ? 'application/x-www-form-urlencoded' : 'application/json',
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value.render(params)])),
    body: isForm ? asForm(body) : JSON.stringify(body),
    pointers: settings,
  })

  return {
    login(occasion) {
      const missing = needed.filter((name) => !Object.hasOwn(params, name) || params[name] === '')
      if (missing.length > 0) throw missingParams(missing)
      refreshUrlOf(params)
      return compose(occasion, 'login', loginBody.render(params))
    },
    refresh(occasion, token, field) {
      const body = refreshBody?.render({ ...params, refresh_token: token }) ?? { [field]: token }
      return compose(occasion, 'refresh', body)
    },
  }
}

function loginUrlOf(params: Params): URL {
  return parseUrl(params['login_url'] ?? '', 'login_url')
}

/** The `refresh_url` param, else `refresh` beside the login: `/auth/login` -> `/auth/refresh`, at the same origin. */
function refreshUrlOf(params: Params): URL {
  const given = params['refresh_url'] ?? ''
  if (given !== '') return parseUrl(given, 'refresh_url')
  const url = loginUrlOf(params)
  url.pathname = url.pathname.replace(/[^/]*\/*$/, 'refresh')
  url.search = ''
  return url
}

function parseUrl(text: string, param: string): URL {
  const url = URL.parse(text)
  const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  if (isUsable) return url
  throw new GatewayError(
    'login_failed',
    `The login to the API failed. The param ${param} is no http or https URL, or holds a user or a password.`,
  )
}

function asForm(body: unknown): string {
  const form = new URLSearchParams()
  const fields = Object.entries(typeof body === 'object' && body !== null ? body : {})
  for (const [name, value] of fields) form.append(name, typeof value === 'string' ? value : JSON.stringify(value))
  return form.toString()
}
