import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import type { CorpusDocument } from './packages.ts'

/** How long one document may take; over it the promise is broken and the process is ended. */
export const importMsMax = 10_000
/** Checking every schema against the meta-schema takes longer than the import and is no part of it. */
const checkMsMax = 120_000
const MEMORY_MB = 1_500

const importReport = z.object({
  tell: z.literal('imported'),
  ms: z.number(),
  peakMb: z.number(),
  tools: z.number(),
  setAside: z.array(z.object({ operation: z.string(), reason: z.string() })).readonly(),
  refusal: z.string().optional(),
})
const checkReport = z.object({
  tell: z.literal('checked'),
  invalid: z.array(z.object({ tool: z.string(), problem: z.string() })).readonly(),
})
/** What the process says after the import. */
export type ImportReport = z.input<typeof importReport>
/** What it says after the check of every schema. */
export type CheckReport = z.input<typeof checkReport>

/** What became of one document. */
export type Outcome = { readonly name: string } & (
  | (Omit<ImportReport, 'tell'> & Pick<CheckReport, 'invalid'> & { readonly kind: 'imported' | 'refused' })
  | { readonly kind: 'crashed' | 'too slow' }
)

/** Imports documents one after the other in a process of its own, with bounded memory and time for each. */
export interface Importer extends AsyncDisposable {
  import(document: CorpusDocument): Promise<Outcome>
}

/** Opens one; its process starts with the first document, and anew after one that ended it. */
export function openImporter(): Importer {
  let child: ChildProcess | undefined
  const close = async () => {
    const old = child
    child = undefined
    if (old === undefined || old.exitCode !== null || old.signalCode !== null) return
    const exit = once(old, 'exit')
    old.kill('SIGKILL')
    await exit
  }
  return {
    async import({ name, path }) {
      child ??= fork(new URL('import-process.ts', import.meta.url), {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        execArgv: [`--max-old-space-size=${MEMORY_MB}`],
      })
      const messages = new Messages(child)
      child.send(path)
      const imported = await messages.next(importMsMax)
      const checked = typeof imported === 'string' ? imported : await messages.next(checkMsMax)
      messages.close()
      if (typeof imported !== 'string' && typeof checked !== 'string') {
        const { tell: _, ...report } = importReport.parse(imported.message)
        const { invalid } = checkReport.parse(checked.message)
        return { name, ...report, invalid, kind: report.refusal === undefined ? 'imported' : 'refused' }
      }
      await close()
      return { name, kind: imported === 'too slow' ? 'too slow' : 'crashed' }
    },
    [Symbol.asyncDispose]: close,
  }
}

/** The messages of a process in their order; two may come before the first is asked for. */
class Messages {
  readonly #child: ChildProcess
  readonly #waiting: { message: unknown }[] = []
  #wake: (() => void) | undefined
  #isOver = false
  readonly #take = (message: unknown) => {
    this.#waiting.push({ message })
    this.#wake?.()
  }
  readonly #end = () => {
    this.#isOver = true
    this.#wake?.()
  }

  constructor(child: ChildProcess) {
    this.#child = child.on('message', this.#take).on('exit', this.#end).on('error', this.#end)
  }

  async next(timeoutMs: number): Promise<{ readonly message: unknown } | 'crashed' | 'too slow'> {
    if (this.#waiting.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.#waiting.shift() ?? (this.#isOver ? 'crashed' : 'too slow')
  }

  close(): void {
    this.#child.off('message', this.#take).off('exit', this.#end).off('error', this.#end)
  }
}
