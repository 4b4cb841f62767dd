import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { schemaProblem } from './valid-schema.ts'

suite('schemaProblem names', () => {
  const cases = [
    { name: 'a type that is none', schema: { properties: { a: { type: 'strin' } } }, says: /allowed values/ },
    { name: 'a pattern that is none', schema: { properties: { a: { pattern: '(' } } }, says: /regex/ },
    { name: 'a pattern that the u flag refuses', schema: { properties: { a: { pattern: '\\_' } } }, says: /regex/ },
    {
      name: 'a pattern of names that is none',
      schema: { patternProperties: { '(': {} } },
      says: /regex|property name/,
    },
    { name: 'a reference to nothing', schema: { properties: { a: { $ref: '#/$defs/x' } } }, says: /not in it/ },
    { name: 'what is no object', schema: { type: 'string' }, says: /not an object/ },
  ]
  for (const { name, schema, says } of cases) {
    test(name, () => assert.match(schemaProblem({ type: 'object', ...schema }) ?? '', says))
  }

  test('nothing else', () => {
    const $defs = { x: { type: 'array', items: { $ref: '#/$defs/x' } } }
    assert.equal(schemaProblem({ type: 'object', properties: { a: { $ref: '#/$defs/x' } }, $defs }), undefined)
  })
})
