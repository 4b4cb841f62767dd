import type { Egress, OutgoingResponse } from '../egress/egress.ts'

const TIMEOUT_MS = 5_000
const BYTES_MAX = 64_000

/**
 * `fetch` for the library's own calls: client metadata documents and keys of clients, whose addresses strangers name. So they
 * go to public addresses only, checked at the dial; redirects are not followed (THREATS.md, T13). What the operator wrote into
 * the settings may be anywhere.
 */
export function fetchThrough(egress: Egress, ofOperator: readonly (string | undefined)[] = []) {
  return async (address: string | URL, { headers }: RequestInit): Promise<Response> => {
    const url = new URL(address)
    const response = await egress.send({
      method: 'GET',
      origin: url.origin,
      path: url.pathname + url.search,
      headers: { accept: new Headers(headers).get('accept') ?? 'application/json', 'user-agent': 'gatehouse' },
      reach: ofOperator.includes(String(address)) ? 'operator' : 'person',
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: BYTES_MAX,
      calledAs: 'The client’s address',
    })
    return new Response(bodyOf(response), { status: response.status, headers: plainHeaders(response) })
  }
}

function bodyOf({ status, body }: OutgoingResponse): string | null {
  // These have none (Fetch §2.2.6).
  return status === 204 || status === 205 || status === 304 ? null : body.toString('utf8')
}

function plainHeaders({ headers }: OutgoingResponse): [string, string][] {
  return ['cache-control', 'expires', 'content-type'].flatMap((name): [string, string][] => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
}
