import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Answer } from '../http/exchange.ts'

/** A request as the library shall see it. Nothing of the caller's own request reaches it but what stands here. */
export interface ProviderRequest {
  readonly method: string
  /** Path and query below our public URL. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the library answers. */
export interface ProviderAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly body: string
  /** To be called once the answer has left to its end. */
  readonly onDelivered: () => void
}

/** How the library is called: with Node's own objects. */
export type ProviderCallback = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>

/** Node's objects for one request, to be used once. */
export interface NodePair {
  readonly request: IncomingMessage
  readonly response: CapturedResponse
}

/**
 * Makes the pair of Node objects that the library wants. They belong to no connection: the request is made of our own parts,
 * so Host and scheme are those of the public URL and nothing that a caller sends can change an address that is printed; the
 * answer is kept, so that what it depends on can be stored before it is sent.
 */
export function nodePair({ method, target, headers, body }: ProviderRequest, publicUrl: string): NodePair {
  const { host, protocol, pathname } = new URL(publicUrl)
  const request: IncomingMessage & { originalUrl?: string } = new IncomingMessage(new Socket())
  request.method = method
  request.url = target
  // By this the library knows that our paths stand below another one.
  request.originalUrl = (pathname === '/' ? '' : pathname) + target
  request.headers = {
    ...headers,
    host,
    'x-forwarded-proto': protocol.slice(0, -1),
    ...(body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
  }
  if (body !== '') request.push(body)
  request.push(null)
  return { request, response: new CapturedResponse(request) }
}

/** Runs the library for one request. Never rejects for what the library itself answers. */
export async function runProvider(
  callback: ProviderCallback,
  request: ProviderRequest,
  publicUrl: string,
): Promise<ProviderAnswer> {
  const pair = nodePair(request, publicUrl)
  await callback(pair.request, pair.response)
  return pair.response.captured()
}

/** A response that is kept instead of sent. */
export class CapturedResponse extends ServerResponse {
  #body = ''

  override end(chunk?: unknown): this {
    if (typeof chunk === 'string') this.#body += chunk
    else if (chunk instanceof Uint8Array) this.#body += Buffer.from(chunk).toString('utf8')
    return this
  }

  captured(): ProviderAnswer {
    const { 'set-cookie': cookies, ...rest } = this.getHeaders()
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : String(value)
    }
    return {
      status: this.statusCode,
      headers,
      cookies: Array.isArray(cookies) ? cookies : cookies === undefined ? [] : [String(cookies)],
      body: this.#body,
      onDelivered: () => void this.emit('finish'),
    }
  }
}

/** Headers that we set ourselves: of the transport, and who may read the answer (`http/cors.ts` decides that). */
const OURS = /^(?:access-control-.*|vary|connection|content-length|content-type|transfer-encoding|date|keep-alive)$/

/** The library's answer as one of ours. */
export function toAnswer({ status, headers, cookies, body, onDelivered }: ProviderAnswer): Answer {
  const kept = Object.entries(headers).filter(([name]) => !OURS.test(name))
  return {
    status,
    headers: { ...Object.fromEntries(kept.map(([name, value]) => [capitalized(name), value])) },
    cookies,
    onDelivered,
    ...(body === '' ? {} : { body, contentType: headers['content-type'] ?? 'application/json' }),
  }
}

/** `cache-control` as `Cache-Control`: so it takes the place of our own. */
function capitalized(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
}
