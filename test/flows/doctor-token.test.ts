import { after, before, suite, test } from 'node:test'
import { generateKeyPair, SignJWT } from 'jose'
import type { Complaint } from '../../src/doctor/diagnose.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { inboundAuthSettings } from '../../src/workspaces/settings.ts'
import { type Provider, seconds, startProvider } from './doctor-provider.ts'
import {
  always,
  assertNames,
  closedPort,
  examine,
  type Listening,
  type Meddling,
  proxyTo,
  secretsOf,
  serve,
} from './doctor-stand.ts'
import { forge } from './inbound-door.ts'

const SECRET = 'k7VtS1m0Zq8Jr4Xw2Yp9Lb6Nc3Hd5Gf0'
const JSON_TYPE = { 'content-type': 'application/json' }

/** A gateway whose workspaces take the tokens of a real identity provider, and a second provider that they do not. */
interface Stand {
  readonly gateway: TestGateway
  readonly provider: Provider
  readonly otherRealm: Provider
  /** Takes tokens for its own URL. */
  readonly url: string
  /** The same, and every call needs a scope that nobody has. */
  readonly scoped: string
  readonly sibling: string
}

interface Case {
  readonly cause: string
  readonly name: string
  readonly token: (stand: Stand) => Promise<string> | string
}

const good = ({ provider, url }: Stand) => provider.grant(url)
const signed =
  (claims: object, header = {}) =>
  (stand: Stand) =>
    stand.provider.sign({ aud: stand.url, ...claims }, header)
const cutAfter = (parts: number) => async (stand: Stand) => (await good(stand)).split('.').slice(0, parts).join('.')

const files: readonly Case[] = [
  { cause: 'token_empty', name: 'an empty file', token: () => '\n' },
  {
    cause: 'token_has_header_name',
    name: 'a whole header',
    token: async (s) => `Authorization: Bearer ${await good(s)}`,
  },
  { cause: 'token_has_bearer', name: 'Bearer before it', token: async (s) => `Bearer ${await good(s)}` },
  { cause: 'token_has_bearer', name: 'Bearer twice', token: async (s) => `Bearer Bearer ${await good(s)}` },
  { cause: 'token_has_other_scheme', name: 'Token before it', token: async (s) => `Token ${await good(s)}` },
  { cause: 'token_has_quotes', name: 'quotes', token: async (s) => `"${await good(s)}"` },
  { cause: 'token_has_line_break', name: 'a line break at the end', token: async (s) => `${await good(s)}\n` },
  { cause: 'token_has_spaces', name: 'a line break in the middle', token: async (s) => broken(await good(s)) },
  { cause: 'token_cut', name: 'a token without its signature', token: cutAfter(2) },
  { cause: 'token_cut', name: 'the first part alone', token: cutAfter(1) },
  { cause: 'token_encrypted', name: 'an encrypted token', token: async (s) => `${await good(s)}.abcd.efgh` },
  { cause: 'token_opaque', name: 'an opaque or refresh token', token: () => 'v1.MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A' },
  { cause: 'token_opaque', name: 'an API key', token: () => 'mcp_sk_0123456789abcdefghijklmnop' },
  { cause: 'token_base64', name: 'plain base64', token: async (s) => `${await good(s)}==` },
  {
    cause: 'token_malformed',
    name: 'parts that are no JSON',
    token: async (s) => (await good(s)).replace(/\.[^.]+\./, '.AAAA.'),
  },
  { cause: 'token_too_long', name: 'a token of 20,000 characters', token: signed({ groups: 'g'.repeat(20_000) }) },
]

const tokens: readonly Case[] = [
  { cause: 'algorithm_none', name: 'an unsigned token', token: (s) => forge({ alg: 'none' }, claimsOf(s)) },
  {
    cause: 'algorithm_hmac',
    name: 'a shared secret where a key set is',
    token: (s) => new SignJWT(claimsOf(s)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET)),
  },
  {
    cause: 'algorithm_wrong',
    name: 'an algorithm that the key is not for',
    token: async (s) => {
      const { privateKey } = await generateKeyPair('ES256')
      return new SignJWT(claimsOf(s)).setProtectedHeader({ alg: 'ES256', kid: 'idp-1' }).sign(privateKey)
    },
  },
  {
    cause: 'header_critical',
    name: 'an extension',
    token: (s) => forge({ alg: 'RS256', kid: 'idp-1', crit: ['x'], x: 1 }, claimsOf(s), 'AAAA'),
  },
  { cause: 'token_type_wrong', name: 'a logout token', token: signed({}, { typ: 'logout+jwt' }) },
  { cause: 'id_token', name: 'an ID token, by its claims', token: signed({ typ: 'ID', nonce: 'n' }) },
  {
    cause: 'id_token',
    name: 'an ID token for a client',
    token: signed({ aud: 'my-client', nonce: 'n', at_hash: 'h' }),
  },
  { cause: 'refresh_token', name: 'a refresh token that is a JWT', token: signed({ typ: 'Refresh' }) },
  {
    cause: 'times_in_milliseconds',
    name: 'times in milliseconds',
    token: signed({ nbf: Date.now() - 1000, exp: Date.now() + 600_000 }),
  },
  { cause: 'expiry_missing', name: 'no exp', token: signed({ exp: undefined }) },
  { cause: 'token_expired', name: 'an expired token', token: signed({ exp: seconds(-60) }) },
  { cause: 'token_not_yet_valid', name: 'a token for later', token: signed({ nbf: seconds(300) }) },
  {
    cause: 'issued_in_future',
    name: 'a token of tomorrow’s clock',
    token: signed({ iat: seconds(3000), exp: seconds(6000) }),
  },
  { cause: 'issuer_wrong', name: 'a token of another realm', token: ({ otherRealm, url }) => otherRealm.grant(url) },
  { cause: 'issuer_slash', name: 'an issuer with a slash', token: (s) => signed({ iss: `${s.provider.url}/` })(s) },
  { cause: 'issuer_absent', name: 'no issuer', token: signed({ iss: undefined }) },
  { cause: 'audience_absent', name: 'no audience', token: signed({ aud: undefined }) },
  {
    cause: 'audience_other_workspace',
    name: 'a token of another workspace',
    token: ({ provider, sibling }) => provider.grant(sibling),
  },
  {
    cause: 'audience_slash',
    name: 'an audience with a slash',
    token: ({ provider, url }) => provider.grant(`${url}/`),
  },
  {
    cause: 'audience_wrong',
    name: 'a token for another service',
    token: ({ provider }) => provider.grant('https://api.example/'),
  },
  { cause: 'key_id_absent', name: 'no key id', token: signed({}, { kid: undefined }) },
  { cause: 'key_id_unknown', name: 'a key that the set does not have', token: signed({}, { kid: 'another' }) },
  {
    cause: 'signature_wrong',
    name: 'another realm’s key under the same id',
    token: (s) => s.otherRealm.sign({ iss: s.provider.url, aud: s.url }),
  },
  { cause: 'signature_wrong', name: 'an altered token', token: async (s) => altered(await good(s)) },
  { cause: 'subject_missing', name: 'nobody in particular', token: signed({ sub: undefined }) },
]

function claimsOf({ provider, url }: Stand) {
  return { iss: provider.url, aud: url, sub: 'ada', iat: seconds(0), exp: seconds(600) }
}

function broken(token: string): string {
  return `${token.slice(0, 76)}\n${token.slice(76)}`
}

function altered(token: string): string {
  const [header = '', payload = '', signature] = token.split('.')
  const claims = Buffer.from(payload, 'base64url').toString().replace('"agent"', '"admin"')
  return [header, Buffer.from(claims).toString('base64url'), signature].join('.')
}

suite('the doctor, with the token, names', () => {
  let stand: Stand
  before(async () => {
    const [provider, otherRealm] = await Promise.all([startProvider(), startProvider()])
    const gateway = await startGateway()
    const open = async (slug: string, more = {}) => {
      const { workspace, endpoint } = await gateway.makeWorkspace({ name: slug })
      const jwt = { jwksUrl: `${provider.url}/jwks`, issuer: provider.url, audience: endpoint, ...more }
      await gateway.running.gateway.manager.change(workspace.id, {
        auth: inboundAuthSettings.parse({ authType: 'jwt', jwt }),
      })
      return endpoint
    }
    const url = await open('shop')
    stand = {
      gateway,
      provider,
      otherRealm,
      url,
      scoped: await open('scoped', { requiredScopes: ['mcp', 'admin'] }),
      sibling: await open('sibling'),
    }
  })
  after(async () => {
    await stand.gateway[Symbol.asyncDispose]()
    await stand.provider[Symbol.asyncDispose]()
    await stand.otherRealm[Symbol.asyncDispose]()
  })

  const named = async (complaint: Complaint & { readonly token: string }, cause: string) => {
    const secrets = [...secretsOf(complaint.token), stand.provider.secret]
    assertNames(await examine(complaint), cause, secrets)
  }

  for (const { cause, name, token } of [...files, ...tokens]) {
    test(`${cause}: ${name}`, async () => named({ url: stand.url, token: await token(stand) }, cause))
  }

  test('scope_missing: a scope that every call needs', async () => {
    await named({ url: stand.scoped, token: await stand.provider.grant(stand.scoped) }, 'scope_missing')
  })

  test('nothing, of a token that is accepted', async () => {
    await named({ url: stand.url, token: await good(stand) }, 'ok')
  })

  const around: readonly {
    readonly cause: string
    readonly name: string
    readonly set: (stand: Stand, parts: AsyncDisposableStack) => Promise<Complaint & { token: string }>
  }[] = [
    {
      cause: 'authorization_stripped',
      name: 'a proxy that strips Authorization',
      set: async (s, parts) => {
        const proxy = parts.use(
          await serve(
            proxyTo(
              () => s.gateway.url,
              () => ({ dropRequestHeaders: ['authorization'] }),
            ),
          ),
        )
        return { url: proxy.url + new URL(s.url).pathname, token: await good(s) }
      },
    },
    {
      cause: 'mcp_headers_stripped',
      name: 'a proxy that strips the headers of MCP',
      set: async (s, parts) => ({
        url: await behind(parts, { dropRequestHeaders: ['mcp-method', 'mcp-protocol-version'] }),
        token: await grantFor(s),
      }),
    },
    {
      cause: 'stream_buffered',
      name: 'a proxy that buffers streams',
      set: async (s, parts) => ({ url: await behind(parts, { buffers: true }), token: await grantFor(s) }),
    },
    {
      cause: 'token_not_checked',
      name: 'a workspace that asks nobody',
      set: async (s) => {
        const { endpoint } = await s.gateway.makeWorkspace({ name: 'Open', auth: { authType: 'none' } })
        return { url: endpoint, token: await good(s) }
      },
    },
    {
      cause: 'keys_unreachable_for_gateway',
      name: 'a gateway that cannot fetch the keys',
      set: async (s) => {
        const jwt = { jwksUrl: `${await closedPort()}/jwks`, issuer: s.provider.url, audience: s.url }
        const { endpoint } = await s.gateway.makeWorkspace({ name: 'Cut off', auth: { authType: 'jwt', jwt } })
        return { url: endpoint, token: await good(s) }
      },
    },
    {
      cause: 'token_refused',
      name: 'a server that repeats the token and does not say why',
      set: async (s, parts) => {
        const server = await serve((asked, response) => {
          const said = asked.headers.authorization
          const challenge = `Bearer error="invalid_token", error_description="not ${said ?? 'there'}"`
          response
            .writeHead(401, said === undefined ? { 'www-authenticate': 'Bearer' } : { 'www-authenticate': challenge })
            .end(said)
        })
        const url = `${parts.use(server).url}/mcp`
        return { url, token: await s.provider.grant(url) }
      },
    },
  ]
  for (const { cause, name, set } of around) {
    test(`${cause}: ${name}`, async () => {
      await using parts = new AsyncDisposableStack()
      await named(await set(stand, parts), cause)
    })
  }
})

/** A gateway behind a proxy that meddles; both know the address that clients use. */
async function behind(parts: AsyncDisposableStack, meddling: Meddling): Promise<string> {
  const made = { target: '' }
  const proxy = parts.use(
    await serve(
      proxyTo(
        () => made.target,
        () => meddling,
      ),
    ),
  )
  const gateway = parts.use(await startGateway({ flags: { publicUrl: proxy.url } }))
  made.target = gateway.url
  const auth = { authType: 'jwt', jwt: { secret: SECRET } }
  return (await gateway.makeWorkspace({ name: 'Behind', auth })).endpoint
}

function grantFor(s: Stand): Promise<string> {
  return new SignJWT(claimsOf(s)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET))
}

interface IssuerCase {
  readonly cause: string
  readonly name: string
  /** Gives the issuer as the workspace's settings have it. */
  readonly issuer: (provider: Provider, parts: AsyncDisposableStack) => Promise<string> | string
}

const issuers: readonly IssuerCase[] = [
  { cause: 'issuer_unreachable', name: 'a provider that is down', issuer: () => closedPort() },
  {
    cause: 'issuer_metadata_missing',
    name: 'a provider without discovery',
    issuer: async (_, parts) => parts.use(await serve(always(404))).url,
  },
  { cause: 'issuer_slash', name: 'a slash too many', issuer: ({ url }) => `${url}/` },
  {
    cause: 'issuer_mismatch',
    name: 'a provider that calls itself by another name',
    issuer: ({ port }) => `http://localhost:${port}`,
  },
  {
    cause: 'keys_unusable',
    name: 'a key set without a usable key',
    issuer: ({ url }, parts) => discovery(parts, { jwks: '{"keys":[]}', url }),
  },
  {
    cause: 'keys_unreachable',
    name: 'a key set that is not there',
    issuer: ({ url }, parts) => discovery(parts, { jwks: undefined, url }),
  },
  {
    cause: 'keys_missing',
    name: 'no key set at all',
    issuer: (_, parts) => discovery(parts, { url: undefined, jwks: undefined }),
  },
  {
    cause: 'pkce_missing',
    name: 'a provider without PKCE',
    issuer: ({ url }, parts) =>
      discovery(parts, { jwks: '{"keys":[]}', url }, { code_challenge_methods_supported: ['plain'] }),
  },
]

/** A provider of three documents. */
async function discovery(
  parts: AsyncDisposableStack,
  { jwks, url }: { readonly jwks: string | undefined; readonly url: string | undefined },
  more: object = {},
): Promise<string> {
  const server: Listening = parts.use(
    await serve((asked, response) => {
      const found =
        asked.url === '/jwks' ? jwks : asked.url?.startsWith('/.well-known/oauth') === true ? document() : undefined
      response.writeHead(found === undefined ? 404 : 200, JSON_TYPE).end(found)
    }),
  )
  const document = () =>
    JSON.stringify({
      issuer: server.url,
      ...(url === undefined ? {} : { jwks_uri: `${server.url}/jwks` }),
      authorization_endpoint: `${server.url}/authorize`,
      code_challenge_methods_supported: ['S256'],
      ...more,
    })
  return server.url
}

suite('the doctor, about the authorization server, names', () => {
  for (const { cause, name, issuer } of issuers) {
    test(`${cause}: ${name}`, async () => {
      await using parts = new AsyncDisposableStack()
      const provider = parts.use(await startProvider())
      const gateway = parts.use(await startGateway())
      const jwt = { secret: SECRET, issuer: await issuer(provider, parts) }
      const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', auth: { authType: 'jwt', jwt } })
      assertNames(await examine({ url: endpoint }), cause, [SECRET])
    })
  }

  test('issuer_over_http: a provider that anybody on the way can be', async () => {
    await using server: Listening = await serve((asked, response) => {
      if (asked.method === 'POST') return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
      const document = { resource: `${server.url}/mcp`, authorization_servers: ['http://id.example'] }
      response.writeHead(200, JSON_TYPE).end(JSON.stringify(document))
    })
    assertNames(await examine({ url: `${server.url}/mcp` }), 'issuer_over_http')
  })
})
