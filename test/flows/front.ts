import { type IncomingMessage, request as passOn, type ServerResponse } from 'node:http'
import { Agent, buildConnector, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { makeCertificate } from './certificate.ts'
import { serveTls } from './doctor-stand.ts'
import type { OAuthStand } from './oauth-stand.ts'

/** A proxy with TLS in front of a gateway, as ngrok and nginx are. This process finds it by its names, at any port. */
export interface Front extends AsyncDisposable {
  /** Everything that it has passed back: head and body of each answer. */
  readonly answers: string[]
  /** Passes requests on to there. */
  to(gatewayUrl: string): void
}

/** What it tells the gateway. `scheme`: default `https`, as the client came. */
export interface FrontOptions {
  readonly names: readonly string[]
  readonly scheme?: string
}

export async function startFront({ names, scheme = 'https' }: FrontOptions): Promise<Front> {
  const answers: string[] = []
  let gateway = new URL('http://127.0.0.1:9')
  const certificate = makeCertificate({ names })
  const server = await serveTls(certificate, (asked, answer) => forward(asked, answer, { gateway, scheme, answers }))
  const direct = buildConnector({})
  const toFront = buildConnector({ ca: certificate.cert })
  const before = getGlobalDispatcher()
  const agent = new Agent({
    connect: (options, done) =>
      names.includes(options.hostname)
        ? toFront({ ...options, hostname: '127.0.0.1', port: String(server.port), servername: options.hostname }, done)
        : direct(options, done),
  })
  setGlobalDispatcher(agent)
  return {
    answers,
    to: (url) => {
      gateway = new URL(url)
    },
    async [Symbol.asyncDispose]() {
      setGlobalDispatcher(before)
      await agent.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

interface Passing {
  readonly gateway: URL
  readonly scheme: string
  readonly answers: string[]
}

function forward(asked: IncomingMessage, answer: ServerResponse, { gateway, scheme, answers }: Passing): void {
  const { host = '', ...headers } = asked.headers
  const forwarded = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': scheme, 'x-forwarded-host': host }
  const { hostname, port } = gateway
  const inner = passOn(
    { hostname, port, method: asked.method, path: asked.url, headers: { ...headers, host, ...forwarded } },
    (came) => {
      const chunks: Buffer[] = []
      came.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        answer.write(chunk)
      })
      came.on('end', () => {
        answers.push([JSON.stringify(came.headers), Buffer.concat(chunks).toString('utf8')].join('\n'))
        answer.end()
      })
      answer.writeHead(came.statusCode ?? 500, came.headers)
    },
  )
  inner.on('error', () => answer.writeHead(502).end())
  answer.on('close', () => inner.destroy())
  asked.pipe(inner)
}

/** The stand as clients of this origin know it. It is still the same gateway. */
export function seenAt(stand: OAuthStand, origin: string): OAuthStand {
  const at = (url: string) => origin + new URL(url).pathname
  return {
    ...stand,
    endpoint: at(stand.endpoint),
    gateway: { ...stand.gateway, url: origin },
    addWorkspace: async (...given) => at(await stand.addWorkspace(...given)),
  }
}
