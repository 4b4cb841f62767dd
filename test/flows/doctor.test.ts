import { createServer } from 'node:http'
import { after, before, suite, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Complaint } from '../../src/doctor/diagnose.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from './certificate.ts'
import {
  always,
  assertNames,
  closedPort,
  examine,
  type Listening,
  listening,
  type Meddling,
  proxyTo,
  serve,
  serveRaw,
  serveTls,
} from './doctor-stand.ts'

const HTML = { 'content-type': 'text/html' }
const PASSWORD_FORM = '<html><form><input type="password"></form></html>'
const BEARER = { 'www-authenticate': 'Bearer' }
const ORIGIN = 'http://localhost:5173'

const trusted = makeCertificate({ names: ['localhost', '127.0.0.1'] })
const untrusted = makeCertificate({ names: ['localhost', '127.0.0.1'] })
const ofAnotherName = makeCertificate({ names: ['other.example'] })
const old = makeCertificate({ names: ['127.0.0.1'], to: '20200201000000Z' })

/** A gateway behind a proxy that can be told to meddle; both know the address that clients use. */
class Stand implements AsyncDisposable {
  meddling: Meddling = {}
  readonly gateway: TestGateway
  readonly proxy: Listening
  readonly path: string

  private constructor(gateway: TestGateway, proxy: Listening, path: string) {
    this.gateway = gateway
    this.proxy = proxy
    this.path = path
  }

  get url(): string {
    return this.proxy.url + this.path
  }

  static async start(): Promise<Stand> {
    const made: { stand?: Stand; target: string } = { target: '' }
    const proxy = await serve(
      proxyTo(
        () => made.target,
        () => made.stand?.meddling ?? {},
      ),
    )
    const gateway = await startGateway({ flags: { publicUrl: proxy.url } })
    made.target = gateway.url
    const auth = { authType: 'jwt', jwt: { secret: 'k7VtS1m0Zq8Jr4Xw2Yp9Lb6Nc3Hd5Gf0' } }
    const { endpoint } = await gateway.makeWorkspace({ name: 'Shop', auth })
    await gateway.makeWorkspace({ name: 'Other', auth })
    made.stand = new Stand(gateway, proxy, new URL(endpoint).pathname)
    return made.stand
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]()
    await this.gateway[Symbol.asyncDispose]()
  }
}

interface Case {
  readonly cause: string
  readonly name: string
  readonly hasty?: true
  /** Sets the fault up, on `parts`, and says what the client has. */
  readonly set: (stand: Stand, parts: AsyncDisposableStack) => Promise<string | Complaint> | string | Complaint
}

/** A server with this answer to everything, and its URL with the path of an endpoint. */
async function alone(parts: AsyncDisposableStack, ...answer: Parameters<typeof always>): Promise<string> {
  return `${parts.use(await serve(always(...answer))).url}/mcp`
}

const connections: readonly Case[] = [
  { cause: 'url_invalid', name: 'no URL at all', set: () => 'mcp.example/mcp' },
  { cause: 'url_holds_secret', name: 'a token in the query', set: ({ url }) => `${url}?token=in-the-query-0123456789` },
  { cause: 'url_holds_secret', name: 'a password in the URL', set: () => 'http://me:in-the-url-0123456789@127.0.0.1/' },
  { cause: 'dns_unknown', name: 'a name that nobody knows', set: () => 'https://mcp.invalid/mcp' },
  { cause: 'connection_refused', name: 'a port without a server', set: async () => `${await closedPort()}/mcp` },
  {
    cause: 'connect_timeout',
    name: 'a server that never answers',
    hasty: true,
    set: async (_, parts) => `${parts.use(await serveRaw(() => {})).url}/mcp`,
  },
  {
    cause: 'connection_dropped',
    name: 'a server that drops the line',
    set: async (_, parts) => `${parts.use(await serveRaw((socket) => void socket.destroy())).url}/mcp`,
  },
  {
    cause: 'not_http',
    name: 'a server that is none of HTTP',
    set: async (_, parts) => `${parts.use(await serveRaw((socket) => void socket.end('SSH-2.0-x\r\n'))).url}/mcp`,
  },
  { cause: 'address_forbidden', name: 'a metadata address', set: () => 'http://169.254.169.254/mcp' },
  { cause: 'https_on_http_port', name: 'https to a port of http', set: ({ url }) => url.replace('http:', 'https:') },
  {
    cause: 'http_on_tls_port',
    name: 'http to a port of TLS',
    set: async (_, parts) => parts.use(await serveTls(trusted, always(200))).url.replace('https:', 'http:'),
  },
  {
    cause: 'tls_untrusted',
    name: 'a self-signed certificate',
    set: async (_, parts) => parts.use(await serveTls(untrusted, always(200))).url,
  },
  {
    cause: 'tls_wrong_name',
    name: 'a certificate of another name',
    set: async (_, parts) => parts.use(await serveTls(ofAnotherName, always(200))).url,
  },
  {
    cause: 'tls_expired',
    name: 'a certificate that has expired',
    set: async (_, parts) => parts.use(await serveTls(old, always(200))).url,
  },
  {
    cause: 'http_not_https',
    name: 'http to another machine',
    set: async (_, parts) => {
      const config = { allowedHosts: ['mcp.example'], auth: { authType: 'none' } }
      const { url } = parts.use(await startGateway({ config }))
      return `http://mcp.example:${new URL(url).port}/mcp`
    },
  },
]

const answers: readonly Case[] = [
  {
    cause: 'redirect_to_https',
    name: 'http that leads to https',
    set: async (_, parts) => {
      const server = createServer((asked, response) => {
        response.writeHead(301, { location: `https://${asked.headers.host}${asked.url}` }).end()
      })
      return `${parts.use(await listening(server)).url}/mcp`
    },
  },
  {
    cause: 'redirect_to_login',
    name: 'a sign-on proxy',
    set: (_, parts) => alone(parts, 302, { location: 'https://id.example/login?state=of-somebody-0123456789' }),
  },
  { cause: 'redirect', name: 'a moved endpoint', set: (_, parts) => alone(parts, 308, { location: '/v2/tools' }) },
  {
    cause: 'host_refused',
    name: 'a Host that the gateway does not know',
    set: ({ gateway }) => `http://other.localhost:${new URL(gateway.url).port}/mcp`,
  },
  {
    cause: 'workspace_unknown',
    name: 'a workspace that is gone',
    set: ({ proxy }) => `${proxy.url}/shop-${'a'.repeat(16)}`,
  },
  { cause: 'workspace_id_missing', name: 'a slug without its id', set: ({ proxy }) => `${proxy.url}/shop` },
  { cause: 'double_slash', name: 'a double slash', set: ({ proxy, path }) => `${proxy.url}/${path}` },
  {
    cause: 'trailing_slash',
    name: 'a slash at the end',
    set: async ({ gateway, path }, parts) => {
      const only = proxyTo(
        () => gateway.url,
        () => ({
          answer: (asked, response) => {
            if (asked.url === path) return false
            response.writeHead(404).end()
            return true
          },
        }),
      )
      return `${parts.use(await serve(only)).url}${path}/`
    },
  },
  {
    cause: 'wrong_path',
    name: 'an endpoint at another path',
    set: async ({ gateway, path }, parts) => {
      const moved = proxyTo(
        () => gateway.url,
        () => ({ path: (asked) => (asked === '/mcp' ? path : asked) }),
      )
      return `${parts.use(await serve(moved)).url}/v1/tools`
    },
  },
  { cause: 'nothing_there', name: 'nothing at all', set: (_, parts) => alone(parts, 404, HTML, 'Not found') },
  { cause: 'not_mcp', name: 'a web page', set: (_, parts) => alone(parts, 200, HTML, '<html>Welcome</html>') },
  { cause: 'not_mcp', name: 'another API', set: (_, parts) => alone(parts, 200, {}, '{"hello":"world"}') },
  { cause: 'login_page', name: 'a login page', set: (_, parts) => alone(parts, 200, HTML, PASSWORD_FORM) },
  { cause: 'post_refused', name: 'a path that takes no POST', set: (_, parts) => alone(parts, 405, { allow: 'GET' }) },
  {
    cause: 'legacy_sse_only',
    name: 'the transport of 2024',
    set: async (_, parts) => {
      const server = createServer((asked, response) => {
        if (asked.method !== 'GET') return void response.writeHead(404).end()
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: endpoint\ndata: /messages\n\n')
      })
      return `${parts.use(await listening(server)).url}/sse`
    },
  },
  {
    cause: 'proxy_wants_login',
    name: 'Basic in front',
    set: (_, parts) => alone(parts, 401, { 'www-authenticate': 'Basic realm="staff"' }),
  },
  {
    cause: 'proxy_without_gateway',
    name: 'a proxy whose gateway is down',
    set: async (_, parts) => {
      const target = await closedPort()
      return `${parts.use(await serve(proxyTo(() => target))).url}/mcp`
    },
  },
  { cause: 'forbidden_by_proxy', name: 'a firewall', set: (_, parts) => alone(parts, 403, HTML, 'Blocked') },
  { cause: 'server_error', name: 'a server that fails', set: (_, parts) => alone(parts, 500, {}, '{}') },
  { cause: 'rate_limited', name: 'too many requests', set: (_, parts) => alone(parts, 429, { 'retry-after': '7' }) },
  { cause: 'unexpected_answer', name: 'an odd answer', set: (_, parts) => alone(parts, 418) },
  { cause: 'metadata_missing', name: 'a challenge that leads nowhere', set: (_, parts) => alone(parts, 401, BEARER) },
  {
    cause: 'clock_differs',
    name: 'a clock that is ten minutes behind',
    set: (stand) => {
      stand.meddling = { setHeaders: { date: new Date(Date.now() - 600_000).toUTCString() } }
      return stand.url
    },
  },
]

const proxies: readonly Case[] = [
  {
    cause: 'origin_refused',
    name: 'a page that is not allowed',
    set: ({ url }) => ({ url, origin: 'https://app.example' }),
  },
  {
    cause: 'cors_missing',
    name: 'a proxy that strips CORS',
    set: (stand) => meddled(stand, { dropHeaders: ['access-control-allow-origin'] }, ORIGIN),
  },
  {
    cause: 'cors_hides_challenge',
    name: 'a proxy that strips what CORS exposes',
    set: (stand) => meddled(stand, { dropHeaders: ['access-control-expose-headers'] }, ORIGIN),
  },
  {
    cause: 'challenge_missing',
    name: 'a proxy that strips WWW-Authenticate',
    set: (stand) => meddled(stand, { dropHeaders: ['www-authenticate'] }),
  },
  {
    cause: 'metadata_elsewhere',
    name: 'a gateway that does not know its public URL',
    set: async ({ gateway, path }, parts) => {
      const inner = parts.use(
        await startGateway({ config: { auth: { authType: 'jwt', jwt: { secret: 's'.repeat(16) + 'T'.repeat(16) } } } }),
      )
      const { endpoint } = await inner.makeWorkspace({ name: 'Shop' })
      const proxy = parts.use(await serve(proxyTo(() => inner.url)))
      return gateway.url === '' ? path : proxy.url + new URL(endpoint).pathname
    },
  },
  {
    cause: 'metadata_over_http',
    name: 'TLS in front of a gateway that does not know of it',
    set: async ({ gateway, path }, parts) =>
      parts.use(
        await serveTls(
          trusted,
          proxyTo(() => gateway.url),
        ),
      ).url + path,
  },
  {
    cause: 'metadata_unreachable',
    name: 'a proxy that keeps /.well-known/ to itself',
    set: (stand) =>
      meddled(stand, { answer: (asked, response) => wellKnown(asked.url, () => response.writeHead(404).end()) }),
  },
  {
    cause: 'metadata_invalid',
    name: 'a web app that answers every path',
    set: (stand) =>
      meddled(stand, {
        answer: (asked, response) => wellKnown(asked.url, () => response.writeHead(200, HTML).end('<html>')),
      }),
  },
  {
    cause: 'resource_mismatch',
    name: 'a proxy that gives the endpoint another path',
    set: (stand) => {
      stand.meddling = { path: (asked) => (asked === '/tools' ? stand.path : asked) }
      return `${stand.proxy.url}/tools`
    },
  },
  {
    cause: 'resource_slash',
    name: 'a proxy that cuts the last slash',
    set: (stand) => {
      stand.meddling = { path: (asked) => asked.replace(/\/$/, '') }
      return `${stand.url}/`
    },
  },
]

function meddled(stand: Stand, meddling: Meddling, origin?: string): Complaint {
  stand.meddling = meddling
  return { url: stand.url, origin }
}

function wellKnown(url: string | undefined, answer: () => void): boolean {
  const isWellKnown = url?.startsWith('/.well-known/') === true
  if (isWellKnown) answer()
  return isWellKnown
}

suite('the doctor, from outside, names', () => {
  let stand: Stand
  before(async () => {
    setDefaultCACertificates([...getCACertificates('default'), trusted.cert, ofAnotherName.cert, old.cert])
    stand = await Stand.start()
  })
  after(() => stand[Symbol.asyncDispose]())

  for (const { cause, name, hasty = false, set } of [...connections, ...answers, ...proxies]) {
    test(`${cause}: ${name}`, async () => {
      await using parts = new AsyncDisposableStack()
      stand.meddling = {}
      const complaint = await set(stand, parts)
      const asked = typeof complaint === 'string' ? { url: complaint } : complaint
      assertNames(await examine(asked, { hasty }), cause, ['0123456789'])
    })
  }

  test('nothing where nothing is wrong', async () => {
    stand.meddling = {}
    assertNames(await examine({ url: stand.url, origin: ORIGIN }), 'ok')
  })
})
