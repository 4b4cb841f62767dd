import type { Offer } from './contender.ts'
import { median } from './histogram.ts'
import type { BenchOptions } from './options.ts'
import { describeMachine } from './report.ts'
import { openArena } from './stands.ts'
import { toolNames } from './tools.ts'

const CONNECTIONS = [1, 64] as const

/** How fast the list of the tools is answered, and how long it is; for those that are asked in the newest revision. */
export async function listSpeed({ rounds, seconds, chosen, tools, say }: BenchOptions): Promise<boolean> {
  const listing = chosen.filter(({ key }) => key === 'c')
  await using arena = await openArena(listing, { tools, say })
  const lines: string[] = []
  let isRight = true
  for (const { contender, offer, server } of arena.stands) {
    const list = listOffer(offer, tools)
    const response = await fetch(list.url, { method: 'POST', headers: list.headers, body: list.body })
    const bytes = (await response.arrayBuffer()).byteLength
    for (const connections of CONNECTIONS) {
      const rates: number[] = []
      const costs: number[] = []
      for (let round = 1; round <= rounds; round += 1) {
        const before = await server.usage()
        const result = await arena.load.load({ offer: list, connections, seconds })
        const after = await server.usage()
        rates.push((result.calls / result.elapsedMs) * 1000)
        costs.push((after.cpuMicros - before.cpuMicros) / result.calls)
        isRight &&= result.errors === 0
      }
      const figures = `${Math.round(median(rates))} lists/s, ${Math.round(median(costs))} µs CPU each`
      lines.push(
        `(${contender.key}) ${contender.name}: ${tools} tools, ${bytes} bytes, ${connections} connections: ${figures}`,
      )
    }
  }
  process.stdout.write(`${describeMachine()}\n${lines.join('\n')}\n`)
  return isRight
}

function listOffer(offer: Offer, tools: number): Offer {
  const { 'mcp-name': _name, ...headers } = offer.headers
  const { params, ...message }: { params: { _meta: unknown } } = JSON.parse(offer.body)
  return {
    ...offer,
    headers: { ...headers, 'mcp-method': 'tools/list' },
    body: JSON.stringify({ ...message, method: 'tools/list', params: { _meta: params._meta } }),
    expects: `"${toolNames(tools).at(-1)}"`,
  }
}
