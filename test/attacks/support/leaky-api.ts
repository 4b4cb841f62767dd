import type { Reply } from '../../../src/test-api/wire.ts'
import { type RecordedRequest, type RecordingApi, startRecordingApi } from '../../../src/testing/recording-api.ts'

/** What a login at the leaky API gives. Lower-case letters only: no rule takes it for a secret by its looks. */
export const LEAKY_TOKENS = {
  access: 'kanarienvogelruf-upstream-access',
  refresh: 'kanarienvogelruf-upstream-refresh',
} as const

/** An API that tells everybody everything it was told: it repeats each request in its answer. */
export function startLeakyApi(): Promise<RecordingApi> {
  let origin = ''
  let refreshes = 0
  const answer = (request: RecordedRequest): Reply => {
    const [path = ''] = request.target.split('?')
    const echo = { headers: request.rawHeaders, body: request.body, target: request.target }
    switch (path) {
      case '/openapi.json':
        return { status: 200, body: leakyDocument(origin) }
      case '/page.json':
        return { status: 200, text: { content: `<html>${request.target}</html>`, type: 'text/html' } }
      case '/broken.yaml':
        return { status: 200, text: { content: `openapi: [ kanarienvogelruf-in-a-broken-document`, type: 'text/yaml' } }
      case '/login':
        // A life so short that the next call refreshes.
        return {
          status: 200,
          body: { token: LEAKY_TOKENS.access, refreshToken: LEAKY_TOKENS.refresh, expiresIn: 0.001 },
        }
      case '/refresh':
        refreshes += 1
        return refreshes === 1
          ? { status: 200, body: { token: LEAKY_TOKENS.access, expiresIn: 0.001 } }
          : { status: 400, body: echo }
      case '/login/rejected':
        return { status: 401, body: echo }
      case '/login/page':
        return { status: 200, text: { content: `<html>${request.body}</html>`, type: 'text/html' } }
      case '/login/no-token':
        return { status: 200, body: echo }
      case '/login/redirect':
      case '/redirect':
        return {
          status: 302,
          headers: { location: `http://127.0.0.1:1/kanarienvogelruf-in-a-redirect?${request.body}` },
        }
      case '/login/unsafe':
        return { status: 200, body: { token: `${LEAKY_TOKENS.access}\r\n` } }
      case '/unauthorized':
        return { status: 401, body: echo }
      case '/failing':
        return { status: 500, body: echo }
      default:
        return { status: 200, body: echo }
    }
  }
  return startRecordingApi(answer).then((api) => {
    origin = api.url
    return api
  })
}

function leakyDocument(origin: string) {
  const parameters = [
    { name: 'password', in: 'query', schema: { type: 'string' } },
    { name: 'X-Api-Token', in: 'header', schema: { type: 'string' } },
    { name: 'count', in: 'query', schema: { type: 'integer' } },
  ]
  const operations = ['echo', 'failing', 'unauthorized', 'redirect']
  const paths = operations.map((name) => [`/${name}`, { get: { operationId: name, parameters } }])
  return {
    openapi: '3.1.0',
    info: { title: 'Leaky', version: '1' },
    servers: [{ url: origin }],
    paths: Object.fromEntries(paths),
  }
}
