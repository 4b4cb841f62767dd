import { GatewayError } from '../errors.ts'
import type { Egress, OutgoingResponse, Reach } from './egress.ts'
import { inBytes, timedOut } from './failure.ts'

const REDIRECTS_MAX = 3
/** Request Timeout, Too Early, Too Many Requests: like a 5xx, they say nothing about the document. */
const MAY_PASS: ReadonlySet<number> = new Set([408, 425, 429])
const CALLED_AS = 'The document’s server'

/** A fetched text with the address that it finally came from. */
export interface FetchedDocument {
  readonly url: string
  readonly text: string
  readonly contentType: string
}

/** `timeoutMs` is for all hops together. `now`: milliseconds, default `performance.now`. */
export interface FetchDocumentOptions {
  readonly reach: Reach
  readonly timeoutMs: number
  readonly bytesMax: number
  readonly signal?: AbortSignal | undefined
  readonly now?: () => number
}

/**
 * Fetches a text such as an API description. Follows at most three redirects by hand: each hop is checked like a first
 * address, none gets credentials, and none leads from https to http.
 *
 * @throws GatewayError `document_invalid` with what is wrong in words; failures that may pass keep the egress's codes: of the
 * connection, and a server that answers 5xx or asks to come back (`upstream_unreachable`).
 */
export async function fetchDocument(
  egress: Egress,
  address: string,
  options: FetchDocumentOptions,
): Promise<FetchedDocument> {
  const now = options.now ?? (() => performance.now())
  const deadlineAt = now() + options.timeoutMs
  let url = parseAddress(address)
  for (let hop = 0; hop <= REDIRECTS_MAX; hop += 1) {
    const timeoutMs = deadlineAt - now()
    if (timeoutMs <= 0) throw timedOut({ ...options, calledAs: CALLED_AS, responseBytesMax: options.bytesMax })
    const response = await get(egress, url, { ...options, timeoutMs })
    if (response.status < 300 || response.status > 399) return read(url, response)
    url = nextHop(url, response)
  }
  throw invalid(`The document’s URL redirects more than ${REDIRECTS_MAX} times.`)
}

async function get(egress: Egress, url: URL, options: FetchDocumentOptions): Promise<OutgoingResponse> {
  try {
    return await egress.send({
      method: 'GET',
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { accept: 'application/json, application/yaml, */*;q=0.5', 'user-agent': 'gatehouse' },
      reach: options.reach,
      timeoutMs: options.timeoutMs,
      responseBytesMax: options.bytesMax,
      calledAs: CALLED_AS,
      signal: options.signal,
    })
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'upstream_too_large') throw error
    throw new GatewayError('document_invalid', `The document is too large (limit ${inBytes(options.bytesMax)}).`, {
      cause: error,
    })
  }
}

function parseAddress(address: string): URL {
  const url = URL.parse(address)
  if (url === null) throw invalid('The document’s URL is not a valid URL.')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid('The document’s URL must begin with http:// or https://.')
  }
  if (url.username !== '' || url.password !== '')
    throw invalid('The document’s URL must not hold a user or a password.')
  return url
}

function nextHop(from: URL, response: OutgoingResponse): URL {
  const location = response.headers['location']
  const to = typeof location === 'string' ? URL.parse(location, from.href) : null
  if (to === null) throw invalid(`The document’s URL answered ${response.status} without a place to go to.`)
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw invalid('The document’s URL redirects from https to http. Name the final address if you trust it.')
  }
  return parseAddress(to.href)
}

function read(url: URL, response: OutgoingResponse): FetchedDocument {
  if (MAY_PASS.has(response.status) || response.status >= 500) {
    throw new GatewayError('upstream_unreachable', `The document’s URL answered ${response.status}.`)
  }
  if (response.status !== 200) throw invalid(`The document’s URL answered ${response.status}.`)
  const contentType = response.headers['content-type']
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(response.body)
    return { url: url.href, text, contentType: typeof contentType === 'string' ? contentType : '' }
  } catch (error) {
    throw new GatewayError('document_invalid', 'The document is not UTF-8 text.', { cause: error })
  }
}

function invalid(message: string): GatewayError {
  return new GatewayError('document_invalid', message)
}
