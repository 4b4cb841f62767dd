import { parentPort, workerData } from 'node:worker_threads'
import { GatewayError } from '../errors.ts'
import { parseDocument } from './document.ts'
import { importOpenApi } from './from-openapi.ts'
import type { ImportOrder, ImportReport } from './import-document.ts'
import { packTools } from './packed-tools.ts'

// Runs on import: it is the main file of a thread that reads one large document.
if (parentPort !== null) {
  const answer = report(workerData)
  const transferred = answer.ok ? answer.packed.parts.map(({ buffer }) => buffer) : []
  parentPort.postMessage(answer, transferred)
}

function report({ text, options }: ImportOrder): ImportReport {
  try {
    return { ok: true, packed: packTools(importOpenApi(parseDocument(text), options)) }
  } catch (error) {
    if (error instanceof GatewayError) return { ok: false, message: error.message }
    throw error
  }
}
