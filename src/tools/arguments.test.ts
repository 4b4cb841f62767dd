import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { compileArguments } from './arguments.ts'
import { importOpenApi } from './from-openapi.ts'
import type { Tool } from './tool.ts'

/** The tool of a POST whose whole schema is the given one; its argument is called `body`, or its fields. */
function toolFor(schema: unknown, schemas: object = {}): Tool {
  const post = { operationId: 'op', requestBody: { required: true, content: { 'application/json': { schema } } } }
  const root = { openapi: '3.1.0', paths: { '/x': { post } }, components: { schemas } }
  const [tool] = importOpenApi({ version: '3.1', root }).tools
  assert.ok(tool)
  return tool
}

function reasonFor(schema: object, args: unknown): string {
  const checked = compileArguments(toolFor(schema))(args)
  return checked.ok ? '' : checked.reason
}

const item = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string', minLength: 1, pattern: '^[a-z]+$' },
    size: { enum: ['s', 'l'] },
    limit: { type: 'integer', maximum: 100, default: 7 },
    tags: { type: 'array', items: { type: 'string' } },
    at: { type: 'string', format: 'date-time' },
    pick: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
    sub: { type: 'object', properties: { a: { const: 1 } }, additionalProperties: false },
  },
}

suite('a refusal tells the model what to change', () => {
  const cases = [
    [{}, '"name" is required.'],
    [undefined, '"name" is required.'],
    [{ name: 1 }, '"name" must be string.'],
    [{ name: 'A' }, '"name" must match the pattern ^[a-z]+$.'],
    [{ name: 'a', size: 'x' }, '"size" must be one of "s", "l".'],
    [{ name: 'a', limit: 101 }, '"limit" must be <= 100.'],
    [{ name: 'a', limit: '5' }, '"limit" must be integer.'],
    [{ name: 'a', tags: ['x', 1] }, '"tags.1" must be string.'],
    [{ name: 'a', at: 'yesterday' }, '"at" must match format "date-time".'],
    [{ name: 'a', sub: { b: 1 } }, '"sub.b" is not allowed.'],
    [{ name: 'a', sub: { a: 2 } }, '"sub.a" must be 1.'],
    [
      { name: 'a', nmae: 1 },
      '"nmae" is not an argument of this tool; it takes name, size, limit, tags, at, pick, sub.',
    ],
    [[], 'The arguments must be an object.'],
    [null, 'The arguments must be an object.'],
    ['x', 'The arguments must be an object.'],
  ] as const
  for (const [args, reason] of cases) {
    test(`${JSON.stringify(args)}: ${reason}`, () => assert.equal(reasonFor(item, args), reason))
  }

  test('a choice is named, and only the first problems are', () => {
    assert.match(reasonFor(item, { name: 'a', pick: true }), /"pick" must fit exactly one of the forms/)
    const many = reasonFor(item, Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, 1])))
    assert.match(many, /; and more\.$/)
    assert.ok(many.length < 1000)
  })
})

suite('arguments are taken as they are', () => {
  test('no default is filled in and nothing converted', () => {
    const args = { name: 'a' }
    const checked = compileArguments(toolFor(item))(args)
    assert.deepEqual(checked, { ok: true, value: { name: 'a' } })
  })

  test('only own properties count, and __proto__ is no argument', () => {
    const check = compileArguments(
      toolFor({ type: 'object', required: ['constructor'], properties: { constructor: {} } }),
    )
    assert.equal(check({}).ok, false)
    assert.equal(compileArguments(toolFor(item))(JSON.parse('{"name":"a","__proto__":{"x":1}}')).ok, false)
  })

  test('a format that is not known is a remark', () => {
    assert.equal(reasonFor({ properties: { a: { type: 'string', format: 'javascript:alert(1)' } } }, { a: 'x' }), '')
    assert.equal(reasonFor({ properties: { a: { type: 'string', format: 'regex' } } }, { a: '(' }), '')
  })

  test('fractions that binary numbers cannot hold are multiples', () => {
    assert.equal(reasonFor({ properties: { a: { type: 'number', multipleOf: 0.01 } } }, { a: 19.99 }), '')
  })
})

suite('a stranger’s schema cannot', () => {
  test('make the check run long through a pattern', { timeout: 5_000 }, () => {
    const slow = { type: 'string', pattern: '^(a+)+$' }
    assert.equal(reasonFor({ properties: { a: slow } }, { a: `${'a'.repeat(100)}!` }), '')
    const names = { type: 'object', patternProperties: { '^(a+)+$': { type: 'null' } }, additionalProperties: false }
    assert.equal(reasonFor({ properties: { a: names } }, { a: { [`${'a'.repeat(60)}!`]: 1 } }), '')
  })

  test('make it throw by recursion', () => {
    const schemas = {
      Node: { properties: { next: { $ref: '#/components/schemas/Node' } } },
      Self: { allOf: [{ $ref: '#/components/schemas/Self' }] },
    }
    let deep: object = {}
    for (let level = 0; level < 200_000; level += 1) deep = { next: deep }
    const checked = compileArguments(toolFor({ $ref: '#/components/schemas/Node' }, schemas))(deep)
    assert.deepEqual(checked, { ok: false, reason: 'The arguments are nested too deeply.' })
    assert.equal(compileArguments(toolFor({ $ref: '#/components/schemas/Self' }, schemas))({ body: 1 }).ok, false)
  })

  test('put code into the compiled check', () => {
    const code = `"]);process.exit(3);(["\`$` + '{process.exit(3)}`'
    const schema = {
      properties: {
        [code]: { enum: [code], const: code, pattern: '`', format: code, title: code, default: code, $comment: code },
      },
      required: [code],
      dependentSchemas: { [code]: { minLength: code, multipleOf: code, maximum: code } },
      $async: true,
      $ref: undefined,
    }
    assert.equal(compileArguments(toolFor(schema))({ body: {} }).ok, false)
    assert.equal(compileArguments(toolFor(schema))({ body: { [code]: 'x' } }).ok, false)
    assert.equal(compileArguments(toolFor(schema))({ body: { [code]: code } }).ok, true)
  })
})

test('a schema that cannot be compiled is an error with a name, not a check that lets everything through', () => {
  const broken = { ...toolFor(item), inputSchema: { type: 'object', properties: { a: { $ref: '#/$defs/none' } } } }
  assert.throws(
    () => compileArguments(broken),
    (error) => error instanceof GatewayError && error.code === 'document_invalid' && /"op"/.test(error.message),
  )
})

test('whatever schema was imported, it compiles, and the check answers', () => {
  const keyword = fc.constantFrom(
    'type',
    'enum',
    'const',
    'minimum',
    'exclusiveMinimum',
    'maxLength',
    'pattern',
    'required',
    'items',
    'properties',
    'allOf',
    'oneOf',
    'not',
    'nullable',
    'additionalProperties',
    'patternProperties',
    'multipleOf',
    'uniqueItems',
    'default',
    'format',
    'if',
    'then',
    'unevaluatedProperties',
    'prefixItems',
    'contains',
    'minContains',
    'dependentSchemas',
    'propertyNames',
    '$id',
    '$anchor',
    '$dynamicRef',
    '$defs',
    '$schema',
  )
  const value = fc.oneof(
    fc.constantFrom('string', 'integer', 'object', true, false, 0, -1, 1.5, '^a', '(', ['a'], ['string', 'null']),
    fc.jsonValue({ maxDepth: 2 }),
  )
  const { schema } = fc.letrec<{ schema: unknown }>((tie) => ({
    schema: fc.dictionary(
      keyword,
      fc.oneof(
        { maxDepth: 4 },
        value,
        tie('schema'),
        fc.array(tie('schema'), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie('schema'), { maxKeys: 3 }),
      ),
      { maxKeys: 5 },
    ),
  }))
  fc.assert(
    fc.property(schema, fc.jsonValue({ maxDepth: 3 }), (given, args) => {
      const tool = toolFor({ allOf: [given] })
      const checked = compileArguments(tool)({ body: args })
      assert.equal(typeof checked.ok, 'boolean')
    }),
    { numRuns: 300 },
  )
})
