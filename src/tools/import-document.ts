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

/**
 * The tools of an API description. A large one is read on a thread of its own, so that calls are served meanwhile, and one
 * that takes over a minute or 1.5 GB is given up.
 *
 * @throws GatewayError `document_invalid`
 */
export async function importDocument(text: string, options: ServerOptions): Promise<ImportedTools> {
  if (text.length <= AT_ONCE_CHARACTERS) return importOpenApi(parseDocument(text), options)
  const file = new URL(`./import-worker${extname(import.meta.url)}`, import.meta.url)
  const worker = new Worker(file, {
    workerData: { text, options } satisfies ImportOrder,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  })
  const report = await reportOf(worker).finally(() => worker.terminate())
  if (report.ok) return unpackTools(report.packed)
  throw new GatewayError('document_invalid', report.message)
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
