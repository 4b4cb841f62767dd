import type { CauseCode } from './causes.ts'
import { readChallenge } from './challenge.ts'
import type { EndpointFacts } from './endpoint.ts'
import { isMcpAnswer, rpcOf } from './mcp-probes.ts'
import type { Answered, Unanswered } from './probe.ts'
import { type Check, failed, passed } from './report.ts'
import { isOpenToReaders, shown } from './urls.ts'

/** Whether the address answers, and whether what answers is an MCP endpoint. Pure. */
export function checkEndpoint(facts: EndpointFacts): readonly Check[] {
  const { url, answer } = facts
  if (!answer.ok) return [checkReach(facts, answer)]
  const reach = passed('reach', `${shown(url)} answers.`)
  const tls = isOpenToReaders(url) ? [failed('tls', 'http_not_https')] : []
  return [reach, ...tls, checkAnswer(facts, answer)]
}

function checkReach({ url, otherScheme }: EndpointFacts, { cause, detail }: Unanswered): Check {
  return failed('reach', schemeCause(url, otherScheme) ?? cause, detail)
}

/** A connection that fails over one scheme and not over the other is the wrong scheme, not a broken server. */
function schemeCause(url: URL, other: EndpointFacts['otherScheme']): CauseCode | undefined {
  if (other === undefined) return undefined
  if (url.protocol === 'https:') return other.ok ? 'https_on_http_port' : undefined
  const isTls = other.ok || other.cause.startsWith('tls_untrusted') || /^tls_(expired|wrong_name)$/.test(other.cause)
  return isTls ? 'http_on_tls_port' : undefined
}

function checkAnswer(facts: EndpointFacts, answer: Answered): Check {
  const { status } = answer
  const seen = `It answered ${status}${typeOf(answer)}.`
  if (status >= 300 && status < 400) return checkRedirect(facts.url, answer)
  if (status === 401) return checkUnauthorized(answer, seen)
  if (status === 429) return failed('endpoint', 'rate_limited', retryText(answer))
  if (status === 403 || status === 421) return checkForbidden(answer, seen)
  if (isMcpAnswer(answer)) return passed('endpoint', 'It speaks MCP, and answers without a credential.')
  if (facts.isLegacySse) return failed('endpoint', 'legacy_sse_only', seen)
  if (status === 404) return checkAbsent(facts, seen)
  if (status === 405) return failed('endpoint', 'post_refused', seen)
  if (status === 413 || status === 431) return failed('endpoint', 'unexpected_answer', seen)
  if (status >= 502 && status <= 504) return failed('endpoint', 'proxy_without_gateway', seen)
  if (status >= 500) return failed('endpoint', 'server_error', seen)
  return checkForeign(facts, answer, seen)
}

function checkUnauthorized(answer: Answered, seen: string): Check {
  const header = answer.header('www-authenticate')
  if (readChallenge(header) !== undefined) return passed('endpoint', 'It asks for a Bearer token.')
  if (header === undefined) return failed('endpoint', isLoginPage(answer) ? 'login_page' : 'challenge_missing', seen)
  return failed('endpoint', 'proxy_wants_login', `It asks for ${schemeOf(header)}.`)
}

/** Only our own and the SDKs' words tell which of the two was refused: neither has a code for it. */
function checkForbidden(answer: Answered, seen: string): Check {
  const message = rpcOf(answer)?.error?.message ?? ''
  if (answer.status === 421 || /\bhost\b/i.test(message)) return failed('endpoint', 'host_refused', seen)
  if (/\borigin\b/i.test(message)) return failed('endpoint', 'origin_refused', seen)
  if (isLoginPage(answer)) return failed('endpoint', 'login_page', seen)
  return failed('endpoint', 'forbidden_by_proxy', seen)
}

const SIGN_IN = /(?:^|[/._-])(?:log-?in|sign-?in|sso|oauth2?|authorize|auth|saml2?|cas)(?:[/._-]|$)/i

function checkRedirect(url: URL, answer: Answered): Check {
  const to = URL.parse(answer.header('location') ?? '', url.href)
  if (to === null) return failed('endpoint', 'redirect', `It answered ${answer.status} without a place to go to.`)
  const seen = `It answered ${answer.status} and leads to ${shown(to)}.`
  const isSamePlace = to.hostname === url.hostname && to.pathname === url.pathname
  if (isSamePlace && url.protocol === 'http:' && to.protocol === 'https:') {
    return failed('endpoint', 'redirect_to_https', seen)
  }
  if (SIGN_IN.test(to.pathname) || SIGN_IN.test(to.hostname)) return failed('endpoint', 'redirect_to_login', seen)
  return failed('endpoint', 'redirect', seen)
}

function checkAbsent({ url, paths, isGatehouse }: EndpointFacts, seen: string): Check {
  const { pathname } = url
  const single = pathname.replace(/\/{2,}/g, '/')
  const found = (cause: CauseCode, path: string) =>
    failed('endpoint', cause, `${seen} ${shown(new URL(path, url))} speaks MCP.`)
  const [path] = paths
  if (path !== undefined && single !== pathname && path.startsWith(single.replace(/\/$/, ''))) {
    return found('double_slash', path)
  }
  if (path !== undefined && `${path}/` === pathname) return found('trailing_slash', path)
  if (isGatehouse && /^\/[a-z0-9-]{1,40}-[a-z2-7]{16}(?:\/|$)/.test(single)) {
    return failed('endpoint', 'workspace_unknown', seen)
  }
  if (path !== undefined) return found('wrong_path', path)
  if (isGatehouse && /^\/[a-z0-9][a-z0-9-]{0,39}\/?$/.test(single) && single !== '/mcp') {
    return failed('endpoint', 'workspace_id_missing', seen)
  }
  return failed('endpoint', isGatehouse ? 'workspace_unknown' : 'nothing_there', seen)
}

/** 200 and other answers that are no MCP: a page, another API. */
function checkForeign({ paths, url }: EndpointFacts, answer: Answered, seen: string): Check {
  if (isLoginPage(answer)) return failed('endpoint', 'login_page', seen)
  const [path] = paths
  const isHttp = /plain HTTP request was sent to HTTPS|HTTP request to an HTTPS/i.test(answer.text)
  if (answer.status === 400 && isHttp) return failed('endpoint', 'http_on_tls_port', seen)
  if (path !== undefined && path !== '/') {
    return failed('endpoint', 'wrong_path', `${seen} ${shown(new URL(path, url))} speaks MCP.`)
  }
  return failed('endpoint', answer.status < 300 ? 'not_mcp' : 'unexpected_answer', seen)
}

function isLoginPage(answer: Answered): boolean {
  return /html/.test(typeOf(answer)) && /type=["']?password|<title>[^<]*(log|sign)[ -]?in/i.test(answer.text)
}

function typeOf(answer: Answered): string {
  const type = /^[\w.+-]+\/[\w.+-]+/.exec(answer.header('content-type') ?? '')?.[0]
  return type === undefined ? '' : ` with ${type}`
}

function schemeOf(header: string): string {
  return /^[\w-]{1,40}/.exec(header)?.[0] ?? 'something else'
}

export function retryText(answer: Answered): string | undefined {
  const seconds = answer.header('retry-after')
  return seconds !== undefined && /^\d{1,9}$/.test(seconds) ? `It says to come back in ${seconds} s.` : undefined
}
