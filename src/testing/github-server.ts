import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { close, listen, originOf, type Reply, sendReply, splitTarget } from '../test-api/wire.ts'

/** The one OAuth App that this GitHub knows. */
export interface GithubApp {
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
}

interface GithubEmail {
  readonly email: string
  readonly primary: boolean
  readonly verified: boolean
}

/** A server in the shape of GitHub’s OAuth 2.0 and API, as GitHub Enterprise Server has them under one address. */
export interface GithubServer extends AsyncDisposable {
  readonly url: string
  /** Who is signed in there. */
  user: Readonly<Record<string, unknown>>
  emails: readonly GithubEmail[]
  /** Answers in place of the real ones, by path; each can be set between two requests. */
  readonly instead: Map<string, Reply>
  /** What it says in `iss` of an authorization response. Undefined: nothing. Default: what GitHub says. */
  iss: string | undefined
  readonly seen: readonly string[]
}

interface Authorized {
  readonly challenge: string
  readonly redirectUri: string
}

/** Starts one. Strict: the redirect URI is exact, PKCE S256 is needed, a code counts once, and the secret must be right. */
export async function startGithubServer(app: GithubApp): Promise<GithubServer> {
  const codes = new Map<string, Authorized>()
  const tokens = new Set<string>()
  const seen: string[] = []
  const state: Pick<GithubServer, 'user' | 'emails' | 'iss'> = {
    user: { id: 4711, login: 'ada', name: 'Ada Lovelace', email: 'public@elsewhere.example' },
    emails: [
      { email: 'old@elsewhere.example', primary: false, verified: true },
      { email: 'Ada@Example.com', primary: true, verified: true },
    ],
    iss: undefined,
  }
  const instead = new Map<string, Reply>()
  const server = createServer((request, response) => {
    const { path, query } = splitTarget(request.url ?? '/')
    seen.push(path)
    const other = instead.get(path)
    if (other === undefined) void answer(request, response, path, new URLSearchParams(query))
    else sendReply(response, other)
  })
  const url = originOf('127.0.0.1', await listen(server, { host: '127.0.0.1', port: 0 }))
  state.iss = `${url}/login/oauth`

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    switch (path) {
      case '/login/oauth/authorize':
        return sendReply(response, authorize(query))
      case '/login/oauth/access_token':
        return sendReply(response, redeem(new URLSearchParams(await bodyOf(request))))
      case '/api/v3/user':
        return sendReply(response, forToken(request, state.user))
      case '/api/v3/user/emails':
        return sendReply(response, forToken(request, state.emails))
      default:
        return sendReply(response, { status: 404, body: { message: 'Not Found' } })
    }
  }

  function authorize(query: URLSearchParams): Reply {
    const challenge = query.get('code_challenge') ?? ''
    const wrong =
      query.get('client_id') !== app.clientId ||
      query.get('redirect_uri') !== app.redirectUri ||
      query.get('code_challenge_method') !== 'S256' ||
      !/^[\w-]{43}$/.test(challenge) ||
      (query.get('state') ?? '') === ''
    if (wrong) return { status: 400, body: { message: 'Be careful! The request is not what this app registered.' } }
    const code = randomBytes(10).toString('hex')
    codes.set(code, { challenge, redirectUri: app.redirectUri })
    const location = new URL(app.redirectUri)
    location.search = new URLSearchParams({
      code,
      state: query.get('state') ?? '',
      ...(state.iss === undefined ? {} : { iss: state.iss }),
    }).toString()
    return { status: 302, headers: { location: location.href } }
  }

  function redeem(form: URLSearchParams): Reply {
    if (form.get('client_id') !== app.clientId || form.get('client_secret') !== app.clientSecret) {
      return refusal('incorrect_client_credentials')
    }
    const code = form.get('code') ?? ''
    const authorized = codes.get(code)
    codes.delete(code)
    if (authorized === undefined) return refusal('bad_verification_code')
    if (form.get('redirect_uri') !== authorized.redirectUri) return refusal('redirect_uri_mismatch')
    const verifier = form.get('code_verifier') ?? ''
    const challenge = createHash('sha256').update(verifier).digest('base64url')
    if (challenge !== authorized.challenge) return refusal('bad_verification_code')
    const token = `gho_${randomBytes(18).toString('hex')}`
    tokens.add(token)
    return { status: 200, body: { access_token: token, scope: 'read:user,user:email', token_type: 'bearer' } }
  }

  function forToken({ headers }: IncomingMessage, body: unknown): Reply {
    const [scheme, token = ''] = (headers.authorization ?? '').split(' ')
    const isKnown = scheme?.toLowerCase() === 'bearer' && tokens.has(token)
    return isKnown ? { status: 200, body } : { status: 401, body: { message: 'Bad credentials' } }
  }

  return Object.assign(state, { url, instead, seen, [Symbol.asyncDispose]: () => close(server) })
}

/** As GitHub refuses: with 200. */
function refusal(error: string): Reply {
  return { status: 200, body: { error, error_description: `The ${error} is told here.` } }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}
