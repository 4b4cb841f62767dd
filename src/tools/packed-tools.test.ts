import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createCatalog } from './catalog.ts'
import { importOpenApi } from './from-openapi.ts'
import { packTools, unpackTools } from './packed-tools.ts'
import { requirementsOf } from './security.ts'
import type { ImportedTools } from './tool.ts'

/** So many operations that they take several parts; every other one asks for a key. */
function read(operations: number) {
  const schemes = { key: { type: 'apiKey', in: 'header', name: 'x-key' } }
  const paths: Record<string, unknown> = {}
  for (let index = 0; index < operations; index += 1) {
    paths[`/things/${index}`] = { get: index % 2 === 0 ? { security: [{ key: [] }] } : { summary: '\ud800 “text”' } }
  }
  const root = { openapi: '3.1.0', info: { title: 'Things' }, components: { securitySchemes: schemes }, paths }
  return importOpenApi({ version: '3.1', root })
}

/** Schemas of 20 KB, each its own object. */
function withLargeSchemas(imported: ImportedTools): ImportedTools {
  const properties = () =>
    Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`p${index}`, { type: 'string', minLength: index }]))
  return {
    ...imported,
    tools: imported.tools.map((tool) => ({ ...tool, inputSchema: { type: 'object', properties: properties() } })),
  }
}

function countTurns() {
  let turns = 0
  let immediate = setImmediate(function count() {
    turns += 1
    immediate = setImmediate(count)
  })
  return {
    soFar: () => turns,
    end: () => {
      clearImmediate(immediate)
      return turns
    },
  }
}

suite('tools that were packed and unpacked', () => {
  test('are the same, in their order', async () => {
    const imported = read(101)
    const packed = packTools(imported)
    assert.ok(packed.parts.length > 2)
    assert.deepEqual(await unpackTools(structuredClone(packed)), imported)
  })

  test('have one object for equal requirements, whatever part they came in', async () => {
    const { tools } = await unpackTools(packTools(read(101)))
    assert.equal(requirementsOf(tools).length, 1)
  })

  test('are unpacked while everything else goes on, and so is their list made', async () => {
    // All of them take many times the 10 ms of a slice.
    const imported = withLargeSchemas(read(400))
    const packed = packTools(imported)
    const turns = countTurns()
    const { tools } = await unpackTools(packed)
    const unpacked = turns.soFar()
    assert.ok(unpacked >= 2, `the loop went round ${unpacked} times`)
    await createCatalog({ ...imported, tools }, 'all')
    assert.ok(turns.end() - unpacked >= 1)
  })

  test('are none where none were', async () => {
    assert.deepEqual(await unpackTools(packTools(read(0))), read(0))
  })
})
