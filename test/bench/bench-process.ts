import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { z } from 'zod'
import type { BenchSetup, Offer } from './contender.ts'
import type { LoadOrder, LoadResult } from './load.ts'
import { loadResultSchema, offerSchema, type Question, toldSchema, usageSchema } from './protocol.ts'

const ANSWER_TIMEOUT_MS = 120_000

/** A process of its own, for one contender, the upstream or the load. Every question rejects when the process fails, ends or is silent for two minutes. */
export interface BenchProcess extends AsyncDisposable {
  /** Starts the module's server in there. */
  start(module: string, setup: BenchSetup): Promise<Offer>
  /** Of that process, or of the one that `pid` names, which needs `/proc`. */
  usage(pid?: number): Promise<z.infer<typeof usageSchema>>
  load(order: LoadOrder): Promise<LoadResult>
}

/** Opens a process on the Node that runs this one. */
export function openProcess(name: string): BenchProcess {
  const child = fork(new URL('child.ts', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ask = async (question: Question): Promise<unknown> => {
    const told = toldSchema.parse(await exchange(child, question))
    if (!told.ok) throw new Error(`${name}: ${told.error}`)
    return told.answer
  }
  return {
    start: async (module, setup) => offerSchema.parse(await ask({ ask: 'start', module, setup })),
    usage: async (pid) => usageSchema.parse(await ask({ ask: 'usage', pid })),
    load: async (order) => loadResultSchema.parse(await ask({ ask: 'load', order })),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      // Left alone it ends by itself, and takes along what it started; a signal would not let it.
      if (child.connected) child.disconnect()
      else child.kill()
      await exit
    },
  }
}

async function exchange(child: ChildProcess, question: Question): Promise<unknown> {
  const settled = new AbortController()
  const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])
  try {
    const ended = once(child, 'exit', { signal }).then(() => {
      throw new Error('The process ended.')
    })
    const answer = once(child, 'message', { signal })
    child.send(question)
    const [message] = await Promise.race([answer, ended])
    return message
  } finally {
    settled.abort()
  }
}
