import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createReferences } from './references.ts'
import { createSchemaConverter } from './schema.ts'
import { schemaBytesMax } from './schema-draft.ts'

function converter(schemas: object = {}, version: '3.0' | '3.1' = '3.0') {
  return createSchemaConverter(createReferences({ components: { schemas } }), version)
}

function convert(schema: unknown, schemas: object = {}, version: '3.0' | '3.1' = '3.0') {
  const made = converter(schemas, version)
  const root = made.convert(schema)
  const found = made.definitions([root])
  return found.ok
    ? { schema: root.schema, defs: found.definitions, reason: '' }
    : { schema: root.schema, defs: {}, reason: found.reason }
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

suite('turns OpenAPI into JSON Schema 2020-12', () => {
  const cases = [
    { name: 'nullable', from: { type: 'string', nullable: true }, to: { type: ['string', 'null'] } },
    {
      name: 'nullable with an enum',
      from: { type: 'string', enum: ['a'], nullable: true },
      to: { type: ['string', 'null'], enum: ['a', null] },
    },
    {
      name: 'nullable beside a composition',
      from: { allOf: [{ type: 'object' }], nullable: true },
      to: { anyOf: [{ allOf: [{ type: 'object' }] }, { type: 'null' }] },
    },
    { name: 'exclusiveMinimum of 3.0', from: { minimum: 1, exclusiveMinimum: true }, to: { exclusiveMinimum: 1 } },
    { name: 'exclusiveMaximum of 3.1', from: { exclusiveMaximum: 9 }, to: { exclusiveMaximum: 9 } },
    { name: 'exclusiveMaximum: false', from: { maximum: 9, exclusiveMaximum: false }, to: { maximum: 9 } },
    { name: 'an example', from: { type: 'string', example: 'x' }, to: { type: 'string', examples: ['x'] } },
    { name: 'format, kept', from: { type: 'string', format: 'int64' }, to: { type: 'string', format: 'int64' } },
    {
      name: 'what belongs to OpenAPI alone, dropped',
      from: { type: 'object', xml: {}, externalDocs: {}, discriminator: { propertyName: 'a' }, 'x-y': 1 },
      to: { type: 'object' },
    },
    { name: 'an invalid pattern, dropped', from: { type: 'string', pattern: '(' }, to: { type: 'string' } },
    { name: 'a required that is a boolean, dropped', from: { required: true }, to: {} },
    { name: 'a type that does not exist, dropped', from: { type: 'file' }, to: {} },
    { name: 'an identifier, dropped', from: { $id: 'http://x/', $schema: 'http://y', $anchor: 'z' }, to: {} },
    {
      name: 'an enum that YAML made numbers of',
      from: { type: 'string', enum: [1, true] },
      to: { type: 'string', enum: ['1', 'true'] },
    },
    { name: 'true', from: true, to: {} },
    { name: 'false', from: false, to: { not: {} } },
    { name: 'additionalProperties: false', from: { additionalProperties: false }, to: { additionalProperties: false } },
    { name: 'a list of types (3.1)', from: { type: ['string', 'null'] }, to: { type: ['string', 'null'] } },
    { name: 'nonsense', from: 'string', to: {} },
  ] as const
  for (const { name, from, to } of cases) {
    test(name, () => assert.deepEqual(convert(from).schema, to))
  }

  test('readOnly properties, left out of what is sent, also through a reference', () => {
    const schemas = { Id: { type: 'integer', readOnly: true } }
    const from = { properties: { id: ref('Id'), at: { readOnly: true }, name: {} }, required: ['id', 'at', 'name'] }
    assert.deepEqual(convert(from, schemas).schema, { properties: { name: {} }, required: ['name'] })
  })

  test('texts without invisible characters, and enum values and names that hide some not at all', () => {
    const hidden = '\u{e0049}\u200b'
    const from = {
      description: `a${hidden}b`,
      enum: ['x', `y${hidden}`],
      default: hidden,
      properties: { [`p${hidden}`]: {}, q: {} },
    }
    assert.deepEqual(convert(from).schema, { description: 'ab', properties: { q: {} } })
  })
})

suite('gives each tool the definitions that it reaches', () => {
  test('and no others, recursive ones too', () => {
    const schemas = {
      Node: { properties: { next: ref('Node'), leaf: ref('Leaf') } },
      Leaf: { type: 'string' },
      Other: { type: 'number' },
    }
    assert.deepEqual(convert(ref('Node'), schemas), {
      reason: '',
      schema: { $ref: '#/$defs/Node' },
      defs: {
        Node: { properties: { next: { $ref: '#/$defs/Node' }, leaf: { $ref: '#/$defs/Leaf' } } },
        Leaf: { type: 'string' },
      },
    })
  })

  test('under names that need no escaping, each its own', () => {
    const schemas = { 'a/b': { type: 'string' }, 'a b': { type: 'number' }, 'a%': { type: 'null' }, __proto__x: {} }
    const from = { anyOf: ['a~1b', 'a%20b', 'a%25'].map(ref) }
    const { defs } = convert(from, schemas)
    const names = Object.keys(defs)
    assert.equal(new Set(names).size, 3)
    for (const name of names) assert.match(name, /^[A-Za-z0-9_.-]+$/)
    assert.deepEqual(Object.values(defs), [{ type: 'string' }, { type: 'number' }, { type: 'null' }])
  })

  test('with a property named $ref left a property (Kubernetes JSONSchemaProps)', () => {
    const schemas = {
      Props: { properties: { $ref: { type: 'string' }, $schema: { type: 'string' }, not: ref('Props') } },
    }
    assert.deepEqual(convert(ref('Props'), schemas).defs, {
      Props: {
        properties: { $ref: { type: 'string' }, $schema: { type: 'string' }, not: { $ref: '#/$defs/Props' } },
      },
    })
  })

  test('ignoring what stands beside $ref in 3.0, and heeding it in 3.1', () => {
    const from = { ...ref('A'), description: 'd', maxLength: 3 }
    assert.deepEqual(convert(from, { A: {} }, '3.0').schema, { $ref: '#/$defs/A', description: 'd' })
    assert.deepEqual(convert(from, { A: {} }, '3.1').schema, { $ref: '#/$defs/A', description: 'd', maxLength: 3 })
  })

  for (const reference of ['file:///etc/passwd', 'http://127.0.0.1/x', '#/components/schemas/Missing']) {
    test(`and says why not when one is ${reference}`, () => {
      const schemas = { Deep: { properties: { a: { items: { $ref: reference } } } } }
      assert.match(convert(ref('Deep'), schemas).reason, /outside the document|not in the document/)
    })
  }

  test('and says why not when references go round', () => {
    assert.match(convert(ref('A'), { A: ref('B'), B: ref('A') }).reason, /circle/)
  })
})

suite('stays bounded', () => {
  test('by replacing what is too large, the nearest kept', () => {
    const big = (next: string) => ({
      description: 'x'.repeat(900),
      properties: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`p${i}`, { description: 'y'.repeat(900) }])),
      not: ref(next),
    })
    const { defs }: { defs: Record<string, object> } = convert(ref('A'), {
      A: big('B'),
      B: big('C'),
      C: big('D'),
      D: {},
    })
    assert.ok(JSON.stringify(defs).length < schemaBytesMax + 1000)
    assert.ok('properties' in (defs['A'] ?? {}) && 'properties' in (defs['B'] ?? {}))
    assert.deepEqual(defs['C'], { description: 'Too large to be described here; any value is passed on.' })
    assert.equal(defs['D'], undefined)
  })

  test('for shared objects that unfold without end, and circles that only an object graph can have', {
    timeout: 5_000,
  }, () => {
    let shared: object = { type: 'string' }
    for (let level = 0; level < 60; level += 1) shared = { properties: { a: shared, b: shared, c: shared } }
    assert.ok(JSON.stringify(convert(shared).schema).length < 2 * schemaBytesMax)
    const circle: { properties: Record<string, object> } = { properties: {} }
    circle.properties['self'] = circle
    circle.properties['again'] = circle
    assert.deepEqual(convert(circle).schema, { properties: { self: {}, again: {} } })
  })

  test('for nesting without end', () => {
    let deep: object = {}
    for (let level = 0; level < 100_000; level += 1) deep = { items: deep }
    assert.ok(JSON.stringify(convert(deep).schema).length < 1000)
  })

  test('for a default, an enum and an example that are huge', { timeout: 5_000 }, () => {
    let bomb: unknown = 'x'
    for (let level = 0; level < 60; level += 1) bomb = [bomb, bomb]
    assert.deepEqual(convert({ default: bomb, enum: [bomb], const: bomb, example: bomb }).schema, {})
  })
})
