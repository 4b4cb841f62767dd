import { readFileSync } from 'node:fs'
import { GatewayError } from '../../src/errors.ts'
import { peakMemoryMb } from '../../src/testing/peak-memory.ts'
import { parseDocument } from '../../src/tools/document.ts'
import { importOpenApi } from '../../src/tools/from-openapi.ts'
import type { ImportedTools } from '../../src/tools/tool.ts'
import type { CheckReport, ImportReport } from './importer.ts'
import { schemaProblem } from './valid-schema.ts'

// Runs on import: the main file of a process that imports one document after the other.
process.on('message', (path) => {
  if (typeof path !== 'string') return
  const startedAt = performance.now()
  const imported = read(path)
  const ms = performance.now() - startedAt
  const peakMb = peakMemoryMb()
  const tools = typeof imported === 'string' ? [] : imported.tools
  const setAside = typeof imported === 'string' ? [] : imported.setAside
  const refusal = typeof imported === 'string' ? imported : undefined
  process.send?.({ tell: 'imported', ms, peakMb, tools: tools.length, setAside, refusal } satisfies ImportReport)
  process.send?.({ tell: 'checked', invalid: problemsOf(tools) } satisfies CheckReport)
})

function read(path: string): ImportedTools | string {
  try {
    return importOpenApi(parseDocument(readFileSync(path, 'utf8')))
  } catch (error) {
    if (error instanceof GatewayError) return error.message
    throw error
  }
}

function problemsOf(tools: ImportedTools['tools']): CheckReport['invalid'] {
  const names = new Set<string>()
  return tools.flatMap(({ name, inputSchema }) => {
    const nameProblem = /^[\w-]{1,64}$/.test(name) && !names.has(name) ? undefined : 'has no name of its own'
    names.add(name)
    const problem = nameProblem ?? schemaProblem(inputSchema)
    return problem === undefined ? [] : [{ tool: name, problem }]
  })
}
