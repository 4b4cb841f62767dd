import { STATUS_CODES } from 'node:http'
import type { Egress, OutgoingResponse, Reach } from '../egress/egress.ts'
import type { HeaderSet } from '../egress/merge-headers.ts'
import { mergeHeaders } from '../egress/merge-headers.ts'
import { GatewayError } from '../errors.ts'
import type { WriteRecord } from '../records/record.ts'
import { ACCESS_TOKEN_FIELDS, readSignIn, type SignInAnswer, type SignInPointers } from './sign-in-answer.ts'

const ANSWER_BYTES_MAX = 1_000_000
/** What a wrong password is answered with; 422 by frameworks that take it for invalid input. */
const REJECTIONS: ReadonlySet<number> = new Set([400, 401, 403, 422])

/** What a sign-in needs of the world; `now` is milliseconds since the epoch. */
export interface SignInWorld {
  readonly egress: Egress
  readonly reach: Reach
  readonly now: () => number
  readonly writeRecord: WriteRecord
  readonly workspace: { readonly id: string; readonly slug: string }
}

/** One POST to a login or refresh endpoint. */
export interface SignInRequest {
  readonly kind: 'login' | 'refresh'
  readonly url: URL
  readonly contentType: string
  readonly headers: HeaderSet
  readonly body: string
  readonly pointers: SignInPointers
  readonly timeoutMs: number
  /** Of the call that caused it. */
  readonly requestId: string
}

/** `isRejected`: the API may not accept the credentials, so trying again with the same ones can lock the account. */
export type SignedIn =
  | { readonly ok: true; readonly answer: SignInAnswer }
  | {
      readonly ok: false
      readonly error: GatewayError
      readonly isRejected: boolean
      readonly retryAfterSeconds: number
    }

/**
 * Signs in once and writes the record of it before it returns. A failure is a value with a `login_failed` that says what
 * failed and what to do; it never holds a secret or a part of the answer. Redirects are failures: credentials are not sent
 * on to where an answer points.
 */
export async function signIn(world: SignInWorld, request: SignInRequest): Promise<SignedIn> {
  const startedAt = world.now()
  const sent = await send(world, request)
  const result: SignedIn = sent.ok ? judge(request, sent.response, world.now()) : failed(sent.message)
  const endedAt = world.now()
  const status = sent.ok ? sent.response.status : undefined
  world.writeRecord({
    requestId: request.requestId,
    kind: request.kind,
    at: startedAt,
    durationMs: endedAt - startedAt,
    outcome: result.ok ? 'ok' : 'failed',
    code: result.ok ? undefined : result.error.code,
    detail: result.ok ? undefined : result.error.message,
    workspaceId: world.workspace.id,
    workspace: world.workspace.slug,
    method: `POST ${request.url.pathname}`,
    status,
    upstreamStatus: status,
    upstreamMs: endedAt - startedAt,
  })
  return result
}

type Sent =
  | { readonly ok: true; readonly response: OutgoingResponse }
  | { readonly ok: false; readonly message: string }

async function send(world: SignInWorld, request: SignInRequest): Promise<Sent> {
  const ours = {
    'Content-Type': request.contentType,
    Accept: 'application/json',
    'User-Agent': 'gatehouse',
    'X-Request-Id': request.requestId,
  }
  try {
    const response = await world.egress.send({
      method: 'POST',
      origin: request.url.origin,
      path: request.url.pathname + request.url.search,
      headers: mergeHeaders(ours, request.headers),
      body: request.body,
      reach: world.reach,
      timeoutMs: request.timeoutMs,
      responseBytesMax: ANSWER_BYTES_MAX,
      calledAs: nameOf(request),
    })
    return { ok: true, response }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { ok: false, message: error.message }
  }
}

function judge(request: SignInRequest, response: OutgoingResponse, now: number): SignedIn {
  const { status } = response
  if (status < 200 || status > 299) {
    const isRejected = REJECTIONS.has(status)
    return failed(explainStatus(request, status), { isRejected, retryAfterSeconds: retryAfterOf(response) })
  }
  const read = readSignIn(response.body.toString('utf8'), request.pointers, now)
  if (read.ok) return read
  // Many APIs answer a wrong password with 200 and an error inside.
  const isRejected = read.problem === 'no_token'
  return failed(`${nameOf(request)} answered ${explainProblem(request, read.problem)}`, { isRejected })
}

function failed(message: string, more: { isRejected?: boolean; retryAfterSeconds?: number } = {}): SignedIn {
  const { isRejected = false, retryAfterSeconds = 0 } = more
  const error = new GatewayError('login_failed', `The login to the API failed. ${message}`)
  return { ok: false, error, isRejected, retryAfterSeconds }
}

function explainStatus(request: SignInRequest, status: number): string {
  const answered = `${nameOf(request)} answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()
  if (status >= 300 && status <= 399) {
    return `${answered}. Credentials are not sent on to another address: set ${paramOf(request)} to the final one.`
  }
  if (status === 401 || status === 403) return `${answered}. Check the params username and password.`
  if (status === 400 || status === 415 || status === 422) {
    return `${answered}. Check username and password, and that the API takes the login body in this form (auth.login).`
  }
  if (status === 404 || status === 405) return `${answered}. Check the param ${paramOf(request)}.`
  if (status === 429) return `${answered}. The API wants fewer logins.`
  return `${answered}. The API’s login does not work at the moment.`
}

function explainProblem(request: SignInRequest, problem: 'html' | 'not_json' | 'no_token' | 'unsafe_token'): string {
  switch (problem) {
    case 'html':
      return `with a web page, not with JSON. Check that ${paramOf(request)} is the API’s endpoint, not its login page.`
    case 'not_json':
      return `with something that is not JSON. Check the param ${paramOf(request)}.`
    case 'no_token': {
      const { accessToken } = request.pointers
      const places = accessToken === undefined ? ACCESS_TOKEN_FIELDS.join(', ') : accessToken
      return `without a token. Looked for ${places}; say where it stands with a JSON pointer (auth.login.accessToken).`
    }
    case 'unsafe_token':
      return 'with a token that cannot be sent in a header.'
  }
}

function nameOf({ kind }: SignInRequest): string {
  return kind === 'login' ? 'The login URL' : 'The refresh URL'
}

function paramOf({ kind }: SignInRequest): string {
  return kind === 'login' ? 'login_url' : 'refresh_url'
}

function retryAfterOf({ headers }: OutgoingResponse): number {
  const seconds = Number(headers['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0
}
