import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { compileArguments } from './arguments.ts'
import type { JsonSchema, Tool } from './tool.ts'

const refused = /too many, or too deeply nested, to be checked/

function check(schema: JsonSchema, $defs: JsonSchema = {}) {
  const tool: Tool = {
    name: 'x',
    description: '',
    inputSchema: { type: 'object', properties: { a: schema }, $defs },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    operation: { method: 'GET', path: '/x', server: undefined, parameters: [], body: undefined },
  }
  return compileArguments(tool)
}

function nested(depth: number, leaf: unknown = 1): unknown {
  return Array.from({ length: depth }).reduce((inner) => ({ a: inner }), leaf)
}

/** Refused for its cost, in less than two seconds of this thread. */
function assertRefusedInTime(schema: JsonSchema, $defs: JsonSchema, value: unknown): void {
  const validate = check(schema, $defs)
  const before = process.cpuUsage().user
  const checked = validate({ a: value })
  assert.ok(process.cpuUsage().user - before < 2_000_000)
  assert.ok(!checked.ok)
  assert.match(checked.reason, refused)
}

const itself = { properties: { a: { $ref: '#/$defs/S' } } }
const S = { $ref: '#/$defs/S' }

suite('the check of arguments ends in time, and refuses', () => {
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    test(`a schema that branches into itself by ${keyword}, on deep arguments`, { timeout: 20_000 }, () => {
      assertRefusedInTime(S, { S: { [keyword]: [itself, itself, itself] } }, nested(40))
    })
  }

  test('a schema that branches a thousandfold', { timeout: 20_000 }, () => {
    assertRefusedInTime(S, { S: { anyOf: Array.from({ length: 1000 }, () => itself) } }, nested(3))
  })

  test('a chain of definitions that doubles at each link, on any argument', { timeout: 20_000 }, () => {
    const link = (index: number) => ({ allOf: [{ $ref: `#/$defs/S${index}` }, { $ref: `#/$defs/S${index}` }] })
    const links = Array.from({ length: 60 }, (_, index) => [`S${index}`, link(index + 1)])
    assertRefusedInTime({ $ref: '#/$defs/S0' }, Object.fromEntries([...links, ['S60', { type: 'string' }]]), 1)
  })

  test('a hundred thousand mistakes', { timeout: 20_000 }, () => {
    assertRefusedInTime(
      { type: 'array', items: S },
      { S: { type: 'string' } },
      Array.from({ length: 100_000 }, () => 1),
    )
  })

  test('uniqueItems on ten thousand objects', { timeout: 20_000 }, () => {
    const items = Array.from({ length: 10_000 }, (_, index) => ({ a: { b: index } }))
    assertRefusedInTime({ type: 'array', uniqueItems: true }, {}, items)
  })

  test('a slow pattern on a thousand texts', { timeout: 20_000 }, () => {
    const texts = Array.from({ length: 1000 }, () => `${'a'.repeat(255)}!`)
    assertRefusedInTime({ type: 'array', items: { type: 'string', pattern: '^a*a*$' } }, {}, texts)
    const names = Object.fromEntries(texts.map((text, index) => [`${index}${text.slice(4)}`, 1]))
    assertRefusedInTime({ patternProperties: { '^[0-9a]*a*$': {} } }, {}, names)
  })

  test('any recursive schema on any nested value', { timeout: 60_000 }, () => {
    const part = fc.oneof(fc.constant(S), fc.constant(itself), fc.constant({ items: S }), fc.constant({ not: S }))
    const branch = fc.tuple(fc.constantFrom('anyOf', 'oneOf', 'allOf'), fc.array(part, { minLength: 1, maxLength: 30 }))
    fc.assert(
      fc.property(branch, branch, fc.integer({ min: 0, max: 60 }), (first, second, depth) => {
        const inner = { properties: { a: { [first[0]]: first[1] } } }
        const before = process.cpuUsage().user
        check(S, { S: { [second[0]]: [inner, ...second[1].filter((one) => one !== S)] } })({ a: nested(depth) })
        assert.ok(process.cpuUsage().user - before < 3_000_000)
      }),
      { numRuns: 15 },
    )
  })
})

test('two thousand parts of a schema are compiled in time', () => {
  const properties = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`p${index}`, { type: 'integer' }]))
  const before = process.cpuUsage().user
  assert.equal(check({ type: 'object', properties })({ a: { p7: 7 } }).ok, true)
  // A second; it was four, and quadratic.
  assert.ok(process.cpuUsage().user - before < 2_500_000)
})

suite('the check of arguments lets pass', () => {
  test('a recursive value of thirty levels', () => {
    assert.deepEqual(check(S, { S: { type: 'object', ...itself } })({ a: nested(30, {}) }).ok, true)
  })

  test('ten thousand rows of twenty fields with patterns and choices', () => {
    const field = { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^[a-z]+-[0-9]{2}$' }] }
    const properties = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`f${index}`, field]))
    const row = Object.fromEntries(Object.keys(properties).map((name) => [name, 'abc-12']))
    const rows = Array.from({ length: 10_000 }, () => row)
    const checked = check({ type: 'array', items: { type: 'object', properties, additionalProperties: false } })({
      a: rows,
    })
    assert.equal(checked.ok ? '' : checked.reason, '')
  })

  test('call after call: each has its own budget', () => {
    const validate = check({ type: 'array', items: { type: 'integer' } })
    const a = Array.from({ length: 1_000_000 }, () => 1)
    for (let call = 0; call < 4; call += 1) assert.equal(validate({ a }).ok, true)
  })
})
