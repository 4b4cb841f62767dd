import { type BenchProcess, openProcess } from './bench-process.ts'
import type { BenchSetup, Offer } from './contender.ts'
import type { Contender } from './line-up.ts'
import { expectSuccess, makeSetup, refusesForgery } from './setup.ts'
import { warmUp } from './warm-up.ts'

/** A contender that is warm, in a process of its own. */
export interface Stand {
  readonly contender: Contender
  readonly server: BenchProcess
  readonly offer: Offer
}

/** Everything that a comparison needs; disposing ends every process. */
export interface Arena extends AsyncDisposable {
  readonly setup: BenchSetup
  readonly load: BenchProcess
  readonly upstream: BenchProcess
  readonly stands: readonly Stand[]
}

/**
 * Starts the API, the load generator and the contenders. Each must answer with the API's own words and refuse a forged
 * token. Who cannot be had (not installed, no registry) is left out, and that is said.
 *
 * @throws Error when a contender does not do what it has to.
 */
export async function openArena(
  chosen: readonly Contender[],
  { tools, say }: { readonly tools: number; readonly say: (line: string) => void },
): Promise<Arena> {
  const processes = new AsyncDisposableStack()
  try {
    const open = (name: string) => processes.use(openProcess(name))
    const load = open('load')
    const upstream = open('upstream')
    const blank = await makeSetup('', tools)
    const setup = { ...blank, upstreamOrigin: (await upstream.start('upstream.ts', blank)).url }
    const stands: Stand[] = []
    for (const contender of chosen) {
      const missing = await contender.prepare?.()
      if (missing === undefined) {
        const server = open(contender.name)
        stands.push({ contender, server, offer: await openStand(contender, { server, setup, load }) })
      }
      say(missing === undefined ? `${contender.key} is warm` : `${contender.key} is left out: ${missing}`)
    }
    return { setup, load, upstream, stands, [Symbol.asyncDispose]: () => processes.disposeAsync() }
  } catch (error) {
    await processes.disposeAsync()
    throw error
  }
}

async function openStand(
  contender: Contender,
  { server, setup, load }: { server: BenchProcess; setup: BenchSetup; load: BenchProcess },
): Promise<Offer> {
  const offer = await server.start(contender.module, setup)
  await expectSuccess(contender.name, offer, contender)
  if (contender.checksToken && !(await refusesForgery(offer)))
    throw new Error(`${contender.name} takes a forged token.`)
  await warmUp(load, offer)
  return offer
}

/** Everybody, beginning with another one each round, so that nobody always runs in the wake of the same neighbour. */
export function inTurn(stands: readonly Stand[], round: number): readonly Stand[] {
  const first = round % Math.max(1, stands.length)
  return [...stands.slice(first), ...stands.slice(0, first)]
}
