import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { z } from 'zod'
import type { Reach } from '../../src/egress/egress.ts'
import { GatewayError } from '../../src/errors.ts'
import type { Reply } from '../../src/test-api/wire.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { type RecordedRequest, type RecordingApi, startRecordingApi } from '../../src/testing/recording-api.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { type Canary, startCanary } from './support/canary.ts'
import { at, callApi, callTool, post, TOOLS_LIST } from './support/client.ts'
import { disguisedUrls, hostileResolver, METADATA_HOSTS, otherUrls, PRIVATE_HOSTS } from './support/hostile-urls.ts'

/**
 * T13: an address that somebody behind `/api` writes leads inside. Here is every place that takes one today: the spec URL, the
 * servers of a description and their variables, the base URL, `$ref`, the key set, the login and the refresh URL, and where
 * each of them redirects to. CIMD, OAuth metadata and webhooks do not exist yet; they belong in this table when they do.
 *
 * A listener inside the network counts connections: nothing may ever open one.
 */
const callers = testCallers()
/** Every private or metadata address is refused in one of these words; a call that was tried and failed has others. */
const NOT_CALLED =
  /may not be called: (private addresses may be named by the operator only|cloud metadata addresses are never called|it is not the address of one host)/
const METADATA = /may not be called: cloud metadata addresses are never called/
const NOT_TAKEN =
  /Invalid URL|Invalid input|not a (valid )?URL|must be(gin with)? http|must not hold a user|names no server|is no http or https URL|has no login_url/

let canary: Canary
/** A server that persons may name, as public ones are. Its paths answer with what `pages` says. */
let site: RecordingApi
let siteOrigin = ''
const pages = new Map<string, Reply>()
let gateway: TestGateway
let token = ''
let now = Date.now()

before(async () => {
  canary = await startCanary()
  site = await startRecordingApi(answerOfSite)
  siteOrigin = `http://public.example:${new URL(site.url).port}`
  gateway = await startGateway({
    now: () => now,
    egress: { resolveHost: hostileResolver(), allowedHosts: ['public.example'], connectTimeoutMs: 500 },
  })
  token = await callers.token({ exp: Math.floor(now / 1000) + 1e9 })
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
  await canary[Symbol.asyncDispose]()
})

function answerOfSite({ target }: RecordedRequest): Reply {
  const login = { access_token: 'opaque-access', refresh_token: 'opaque-refresh', expires_in: 60 }
  return pages.get(target) ?? { status: 200, body: target === '/login' ? login : { ok: true } }
}

function documentOf(servers: unknown): string {
  const paths = { '/thing': { get: { operationId: 'getThing' } } }
  return JSON.stringify({ openapi: '3.1.0', info: { title: 'T', version: '1' }, servers, paths })
}

/** Makes a workspace and calls its tool: what came of it, in words. */
async function attempt(settings: Readonly<Record<string, unknown>>, reach: Reach): Promise<string> {
  try {
    const all = {
      name: 't13',
      auth: callers.auth,
      source: { document: documentOf([{ url: siteOrigin }]) },
      ...settings,
    }
    const { endpoint } = await gateway.makeWorkspace(all, reach)
    const called = await callTool(endpoint, token, 'getThing')
    return called.isError ? called.result : `CALLED: ${called.result}`
  } catch (error) {
    assert.ok(error instanceof GatewayError || error instanceof z.ZodError, String(error))
    return error.message
  }
}

const bearer = { auth: { type: 'bearer' } }
const account = { username: 'ada', password: 'pw' }

/** Every place that takes an address, with what came of writing this one there. */
const places: readonly { readonly name: string; readonly use: (url: string, reach: Reach) => Promise<string> }[] = [
  { name: 'the spec URL', use: (url, reach) => attempt({ source: { url } }, reach) },
  { name: 'a server', use: (url, reach) => attempt({ source: { document: documentOf([{ url }]) } }, reach) },
  {
    name: 'a server’s variable',
    use: (url, reach) => {
      const servers = [{ url: '{whole}', variables: { whole: { default: url } } }]
      return attempt({ source: { document: documentOf(servers) } }, reach)
    },
  },
  { name: 'the base URL', use: (url, reach) => attempt({ upstream: { baseUrl: url } }, reach) },
  {
    name: 'the login URL',
    use: (url, reach) => attempt({ upstream: bearer, params: { ...account, login_url: url } }, reach),
  },
  { name: 'the refresh URL', use: refreshAt },
]

/** Logs in at the site, then lets the token run out, so that the next call refreshes it there. */
async function refreshAt(url: string, reach: Reach): Promise<string> {
  const params = { ...account, login_url: `${siteOrigin}/login`, refresh_url: url }
  const source = { document: documentOf([{ url: siteOrigin }]) }
  const before = gateway.log.length
  const { endpoint } = await gateway.makeWorkspace(
    { name: 't13', auth: callers.auth, source, upstream: bearer, params },
    reach,
  )
  const first = await callTool(endpoint, token, 'getThing')
  if (first.isError) return first.result
  now += 3_600_000
  const second = await callTool(endpoint, token, 'getThing')
  // The login is the way out when a refresh fails, so the call works; the log says what came of the refresh.
  const refreshed = gateway.log.slice(before).find((line) => line.includes('The refresh URL'))
  return refreshed ?? second.result
}

/** The key set: https for a person, and nobody comes in without its keys. */
async function keySetAt(url: string, reach: Reach): Promise<string> {
  const before = gateway.log.length
  const jwt = { jwksUrl: url.replace(/^http:/i, 'https:'), issuer: 'https://idp.example', audience: 'gatehouse' }
  try {
    const { endpoint } = await gateway.makeWorkspace({ name: 't13', auth: { authType: 'jwt', jwt } }, reach)
    const stranger = await testCallers().token({ iss: 'https://idp.example', aud: 'gatehouse' })
    const { status } = await post(endpoint, TOOLS_LIST, { token: stranger })
    assert.ok(status === 401 || status === 503, `${status}`)
  } catch (error) {
    assert.ok(error instanceof GatewayError || error instanceof z.ZodError, String(error))
    return error.message
  }
  return gateway.log.slice(before).join('')
}

const everyPlace = [...places, { name: 'the key set', use: keySetAt }]

suite('T13: the canary sings when somebody is let through', () => {
  test('the operator may name an address inside, in every place: then it is called', async () => {
    for (const { name, use } of everyPlace) {
      const before = canary.connections()
      const said = await use(`http://127.0.0.1:${canary.port}/`, 'operator')
      assert.ok(canary.connections() > before, `${name}: ${said}`)
    }
  })
})

suite('T13: no address of a person leads inside', () => {
  for (const host of PRIVATE_HOSTS) {
    test(`${host} is refused in every place, before the dial`, async () => {
      await assertRefused((port) => `http://${host}:${port}/x`, NOT_CALLED)
    })
  }

  for (const index of disguisedUrls(0).keys()) {
    test(`${JSON.stringify(disguisedUrls(0)[index])} is refused in every place`, async () => {
      const either = new RegExp(`${NOT_CALLED.source}|${NOT_TAKEN.source}`)
      await assertRefused((port) => disguisedUrls(port)[index] ?? '', either)
    })
  }

  for (const index of otherUrls(0).keys()) {
    test(`${JSON.stringify(otherUrls(0)[index])} is no address of a server`, async () => {
      const before = canary.connections()
      for (const { name, use } of everyPlace) {
        const said = await use(otherUrls(canary.port)[index] ?? '', 'person')
        // Some mean "not given", or are completed by where the document came from.
        assert.ok(NOT_TAKEN.test(said) || NOT_CALLED.test(said) || isNothing(index), `${name}: ${said}`)
      }
      assert.equal(canary.connections(), before)
    })
  }

  test('imported again over the API, a workspace reaches no further than whoever made it', async () => {
    const { workspace } = await gateway.makeWorkspace({ name: 'made by a person' }, 'person')
    const before = canary.connections()
    const url = `http://127.0.0.1:${canary.port}/`
    const answer = await callApi(gateway, 'POST', `/api/workspaces/${workspace.id}/import`, { url })
    assert.equal(answer.status, 422, answer.text)
    assert.match(String(at(answer.json, 'detail')), NOT_CALLED)
    assert.equal(canary.connections(), before)
  })

  test('a connection that the operator’s workspace keeps open does not carry a person’s call', async () => {
    const origin = `http://inside.example:${new URL(site.url).port}`
    assert.match(await attempt({ upstream: { baseUrl: origin } }, 'operator'), /^CALLED/)
    const before = site.seen.length
    assert.match(await attempt({ upstream: { baseUrl: origin } }, 'person'), NOT_CALLED)
    assert.equal(site.seen.length, before)
  })
})

suite('T13: no redirect leads inside', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`${status} from a public description to any address inside, at once or by a second hop`, async () => {
      const before = canary.connections()
      for (const host of [...PRIVATE_HOSTS, ...METADATA_HOSTS]) {
        const location = `http://${host}:${canary.port}/openapi.json`
        pages.set('/moved', { status, headers: { location: location.replace(/[^ -~]/gu, encodeURIComponent) } })
        pages.set('/moved-twice', { status, headers: { location: '/moved' } })
        for (const path of ['/moved', '/moved-twice']) {
          const said = await attempt({ source: { url: siteOrigin + path } }, 'person')
          assert.match(said, NOT_CALLED, `${path} to ${host}`)
        }
      }
      assert.equal(canary.connections(), before)
    })
  }

  test('to another scheme, or to an address with a password', async () => {
    const before = canary.connections()
    for (const location of [
      'file:///etc/passwd',
      `ftp://127.0.0.1:${canary.port}/`,
      'javascript:1',
      'data:,x',
      `http://a:b@127.0.0.1:${canary.port}/`,
    ]) {
      pages.set('/moved', { status: 302, headers: { location } })
      assert.match(await attempt({ source: { url: `${siteOrigin}/moved` } }, 'person'), NOT_TAKEN, location)
    }
    assert.equal(canary.connections(), before)
  })

  test('of a login, a refresh, a call or a key set: those are not followed anywhere, for the operator neither', async () => {
    const before = canary.connections()
    for (const status of [301, 302, 303, 307, 308]) {
      for (const host of ['127.0.0.1', '169.254.169.254', 'public.example']) {
        pages.set('/moved', { status, headers: { location: `http://${host}:${canary.port}/` } })
        for (const { name, use } of places.slice(3)) {
          for (const reach of ['operator', 'person'] as const) {
            // A path of the base URL is kept, so the call asks for /moved/thing.
            pages.set('/moved/thing', pages.get('/moved') ?? { status })
            const said = await use(`${siteOrigin}/moved`, reach)
            assert.match(said, new RegExp(`answered ${status}`), `${name} of ${reach}`)
          }
        }
        const keys = await keySetOverHttp(`${site.url}/moved`)
        assert.match(keys, new RegExp(`could not be fetched: it answered ${status}`))
      }
    }
    assert.equal(canary.connections(), before)
  })
})

suite('T13: a name that changes its answer leads nowhere', () => {
  for (const { name, use } of everyPlace) {
    test(`as ${name}: public for the check, inside for the call, and the checked address is the one that is dialled`, async () => {
      const before = canary.connections()
      const url = `http://${name.replace(/\W+/g, '-')}.rebinding.example:${canary.port}/`
      assert.match(await use(url, 'person'), /could not be reached/, 'nobody is at the public address')
      assert.match(await use(url, 'person'), NOT_CALLED, 'the next look-up is checked again')
      assert.equal(canary.connections(), before)
    })
  }

  test('inside for the operator, metadata for the next call: each dial is checked', async () => {
    pages.set('/thing', { status: 200, body: { ok: true }, headers: { connection: 'close' } })
    const origin = `http://rebinding-to-cloud.example:${new URL(site.url).port}`
    assert.match(await attempt({ upstream: { baseUrl: origin } }, 'operator'), /^CALLED/)
    assert.match(await attempt({ upstream: { baseUrl: origin } }, 'operator'), METADATA)
  })
})

suite('T13: nothing that a description refers to is fetched', () => {
  test('$ref, $id, $schema, mappings, examples, documentation: none of their addresses is dialled', async () => {
    const before = canary.connections()
    const inside = `http://127.0.0.1:${canary.port}/schema.json`
    const document = JSON.stringify(referringTo(inside))
    for (const reach of ['operator', 'person'] as const) {
      const { workspace, endpoint } = await gateway.makeWorkspace(
        { name: 'refers', auth: callers.auth, tools: 'all', source: { document } },
        reach,
      )
      const answer = await post(endpoint, TOOLS_LIST, { token })
      assert.match(answer.text, /"getPlain"/)
      assert.doesNotMatch(answer.text, /"\$ref":"http/)
      const tools = await callApi(gateway, 'GET', `/api/workspaces/${workspace.id}/tools`)
      assert.match(tools.text, /outside the document; such references are never followed/)
      for (const name of ['getPlain', 'postThing']) await callTool(endpoint, token, name, { kind: 'a' })
    }
    assert.equal(canary.connections(), before)
  })
})

/** A description that names an address wherever a description can. */
function referringTo(url: string): unknown {
  const reference = { $ref: url }
  const schema = {
    $id: url,
    $schema: url,
    $dynamicRef: '#x',
    type: 'object',
    discriminator: { propertyName: 'kind', mapping: { a: url } },
    oneOf: [{ type: 'object', properties: { kind: { type: 'string' } } }],
    externalDocs: { url },
    properties: { kind: { type: 'string', format: 'uri', default: url, contentSchema: { $id: url } } },
  }
  const content = { 'application/json': { schema, examples: { one: { externalValue: url } } } }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: url,
    info: { title: 'T', version: '1', termsOfService: url, contact: { url }, license: { name: 'x', url } },
    externalDocs: { url },
    servers: [{ url: siteOrigin }],
    paths: {
      '/plain': { get: { operationId: 'getPlain', externalDocs: { url }, callbacks: { done: { [url]: {} } } } },
      '/thing': { post: { operationId: 'postThing', requestBody: { content } } },
      '/item': reference,
      '/parameter': { get: { operationId: 'getParameter', parameters: [reference] } },
      '/schema': { get: { operationId: 'getSchema', parameters: [{ name: 'a', in: 'query', schema: reference }] } },
      '/body': { post: { operationId: 'postBody', requestBody: reference } },
      '/deep': { post: { requestBody: { content: { 'application/json': { schema: { allOf: [reference] } } } } } },
    },
    webhooks: { done: reference },
    components: {
      securitySchemes: {
        flow: { type: 'oauth2', flows: { clientCredentials: { tokenUrl: url, scopes: {} } } },
        discovery: { type: 'openIdConnect', openIdConnectUrl: url },
      },
    },
  }
}

suite('T13: cloud metadata is for nobody', () => {
  for (const host of METADATA_HOSTS) {
    test(`${host} is refused for the operator and for a person, in every place`, async () => {
      for (const reach of ['operator', 'person'] as const) {
        for (const { name, use } of everyPlace) {
          const said = await use(`http://${host}/latest/meta-data/`, reach)
          assert.match(said, METADATA, `${name} of ${reach}`)
        }
      }
    })
  }
})

/** A key set of the operator over plain http, which only loopback may be. */
async function keySetOverHttp(jwksUrl: string): Promise<string> {
  const before = gateway.log.length
  const jwt = { jwksUrl, issuer: 'https://idp.example', audience: 'gatehouse' }
  await gateway.makeWorkspace({ name: 't13', auth: { authType: 'jwt', jwt } })
  return gateway.log.slice(before).join('')
}

/** Refused in every place in these words, and the canary was not even dialled. */
async function assertRefused(urlOf: (port: number) => string, says: RegExp): Promise<void> {
  const before = canary.connections()
  for (const { name, use } of everyPlace) {
    const said = await use(urlOf(canary.port), 'person')
    assert.match(said, says, name)
  }
  assert.equal(canary.connections(), before, 'the canary was dialled')
}

function isNothing(index: number): boolean {
  return ['', '/relative'].includes(otherUrls(0)[index] ?? '')
}
