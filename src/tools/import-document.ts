import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { GatewayError } from '../errors.ts'
import { parseDocument } from './document.ts'
import { importOpenApi } from './from-openapi.ts'
import { type PackedTools, unpackTools } from './packed-tools.ts'
import type { ServerOptions } from './servers.ts'
import type { ImportedTools } from './tool.ts'

/** What the thread is given. */
export interface ImportOrder {
  readonly text: string
  readonly options: ServerOptions
}

/** What it answers: the tools, or why there are none. */
export type ImportReport =
  | { readonly ok: true; readonly packed: PackedTools }
  | { readonly ok: false; readonly message: string }

/**
 * Smaller documents are read at once: a thread takes longer to start than they take to read, even where every operation
 * shares one part. That takes the square of the length: with 200,000 characters it took four seconds.
 */
const AT_ONCE_CHARACTERS = 20_000
const TIMEOUT_MS = 60_000
const MEMORY_MB = 1_500
/** Threads that read at a time, since each may take so much. */
const THREADS_MAX = 2

/** Threads of this process that read now, and whose turn is next. */
let running = 0
const waiting: (() => void)[] = []

/**
 * The tools of an API description. A large one is read on a thread of its own, so that calls are served meanwhile, and one
 * that takes over a minute or 1.5 GB is given up. Two are read so at a time; others wait for them.
 *
 * @throws GatewayError `document_invalid`
 */
export async function importDocument(text: string, options: ServerOptions): Promise<ImportedTools> {
  if (text.length <= AT_ONCE_CHARACTERS) return importOpenApi(parseDocument(text), options)
  await turn()
  const report = await onThread({ text, options }).finally(endTurn)
  if (report.ok) return unpackTools(report.packed)
  throw new GatewayError('document_invalid', report.message)
}

async function turn(): Promise<void> {
  if (running < THREADS_MAX) running += 1
  else await new Promise<void>((resolve) => waiting.push(resolve))
}

/** Whoever waits takes this place over. */
function endTurn(): void {
  const next = waiting.shift()
  if (next === undefined) running -= 1
  else next()
}

async function onThread(order: ImportOrder): Promise<ImportReport> {
  const file = new URL(`./import-worker${extname(import.meta.url)}`, import.meta.url)
  const worker = new Worker(file, {
    workerData: order,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  })
  return reportOf(worker).finally(() => worker.terminate())
}

function reportOf(worker: Worker): Promise<ImportReport> {
  return new Promise((resolve) => {
    const giveUp = (why: string) =>
      resolve({ ok: false, message: `The document ${why}. Leave out what you do not need.` })
    const timer = setTimeout(() => giveUp('takes more than a minute to read'), TIMEOUT_MS)
    const settle = (report: ImportReport) => {
      clearTimeout(timer)
      resolve(report)
    }
    worker.once('message', settle)
    worker.once('error', () => giveUp('needs too much memory to read'))
    worker.once('exit', () => {
      clearTimeout(timer)
      giveUp('could not be read')
    })
  })
}
