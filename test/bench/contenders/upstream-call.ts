import { Pool } from 'undici'

/** Calls the upstream for the text of one item. */
export type CallUpstream = (id: string) => Promise<string>

/**
 * The cheapest call that undici offers (`dispatch` on a pool), the same for every contender, so that the table compares what
 * stands in front of it. Global `fetch`, which most servers use, would add about 200 µs to each.
 */
export function upstreamCall(origin: string): CallUpstream {
  const pool = new Pool(origin, { connections: 128 })
  return (id) =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let status = 0
      pool.dispatch(
        { method: 'GET', path: `/items/${encodeURIComponent(id)}`, headers: { accept: 'application/json' } },
        {
          onRequestStart: () => {},
          onResponseStart: (_, statusCode) => {
            status = statusCode
          },
          onResponseData: (_, chunk) => {
            chunks.push(chunk)
          },
          onResponseEnd: () => {
            if (status === 200) resolve((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))?.toString() ?? '')
            else reject(new Error(`The upstream answered ${status}.`))
          },
          onResponseError: (_, error) => reject(error),
        },
      )
    })
}
