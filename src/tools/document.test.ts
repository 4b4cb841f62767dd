import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { documentBytesMax, parseDocument } from './document.ts'
import { member } from './json.ts'

function refusal(text: string): string {
  try {
    parseDocument(text)
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    assert.equal(error.code, 'document_invalid')
    return error.message
  }
  return assert.fail('the document was accepted')
}

suite('parseDocument accepts', () => {
  const cases = [
    { name: '3.0 in JSON', text: '{"openapi":"3.0.3","paths":{}}', version: '3.0' },
    { name: '3.1 in YAML', text: 'openapi: 3.1.0\npaths: {}\n', version: '3.1' },
    { name: '3.2, as 3.1', text: 'openapi: 3.2.0\npaths: {}\n', version: '3.1' },
    { name: 'Swagger 2.0, as 3.0', text: '{"swagger":"2.0","paths":{}}', version: '3.0' },
    { name: 'Swagger 2.0 that YAML reads as a number', text: 'swagger: 2.0\npaths: {}\n', version: '3.0' },
    { name: 'a byte order mark', text: '\ufeff{"openapi":"3.0.0"}', version: '3.0' },
    { name: 'JSON with a comma too many', text: '{"openapi":"3.1.0","paths":{},}', version: '3.1' },
    { name: 'a quoted version in YAML', text: '"openapi": "3.0.1"', version: '3.0' },
  ] as const
  for (const { name, text, version } of cases) {
    test(name, () => assert.equal(parseDocument(text).version, version))
  }

  test('YAML aliases and merge keys, with the mapping’s own keys winning', () => {
    const { root } = parseDocument('openapi: 3.1.0\nx: &x {a: 1, b: 2}\ny: {b: 3, <<: *x}\nz: *x\n')
    assert.deepEqual(root, { openapi: '3.1.0', x: { a: 1, b: 2 }, y: { a: 1, b: 3 }, z: { a: 1, b: 2 } })
    assert.equal(root['x'], root['z'], 'an alias is shared, not copied')
  })

  test('a key named __proto__ without touching any prototype', () => {
    for (const text of ['{"openapi":"3.0.0","__proto__":{"polluted":1}}', 'openapi: 3.0.0\n__proto__: {polluted: 1}']) {
      const { root } = parseDocument(text)
      assert.equal(member(root, 'polluted'), undefined)
      assert.equal(root['polluted'], undefined)
    }
  })

  test('response codes and dates as the texts they are written as', () => {
    const { root } = parseDocument('openapi: 3.0.0\nr: {200: ok, 2020-01-01: d}')
    assert.deepEqual(root['r'], { '200': 'ok', '2020-01-01': 'd' })
  })
})

suite('parseDocument refuses, saying what is wrong and what to do', () => {
  const cases = [
    { name: 'Swagger 1.2', text: '{"swagger":"1.2"}', says: /Swagger 1\.2; Swagger 2\.0 and OpenAPI 3\.0/ },
    {
      name: 'a version that does not exist yet',
      text: 'openapi: 4.0.0',
      says: /OpenAPI "4\.0\.0"; Swagger 2\.0 and OpenAPI 3\.0, 3\.1 and 3\.2/,
    },
    { name: '3.10, which is not 3.1', text: 'openapi: "3.10"', says: /OpenAPI "3\.10"/ },
    { name: 'a version that YAML reads as a number', text: 'openapi: 3.0', says: /number 3.*in quotes/ },
    { name: 'no version', text: '{"paths":{}}', says: /no `openapi` field/ },
    { name: 'a list', text: '[1]', says: /not a mapping/ },
    { name: 'a text', text: 'hello there', says: /not a mapping/ },
    { name: 'nothing', text: ' \n', says: /empty/ },
    { name: 'a web page', text: '\n<!DOCTYPE html><html>', says: /web page.*openapi\.json/ },
    { name: 'broken JSON', text: '{\n  "openapi": "3.0.0",\n  "x": }}\n}', says: /line 3, column \d+/ },
    { name: 'broken YAML', text: 'openapi: 3.0.0\nx: "a\n', says: /line \d+, column \d+/ },
    { name: 'an alias without an anchor', text: 'openapi: 3.0.0\nx: *nobody', says: /anchor.*line 2, column 4/ },
    { name: 'an alias inside its own anchor', text: 'openapi: 3.0.0\nx: &x {y: *x}', says: /anchor.*line 2/ },
    { name: 'a merge of something else', text: 'openapi: 3.0.0\nx: {<<: 1}', says: /not a mapping/ },
  ] as const
  for (const { name, text, says } of cases) {
    test(name, () => assert.match(refusal(text), says))
  }

  test('a document that is too long, before parsing it', () => {
    assert.match(refusal(' '.repeat(documentBytesMax + 1)), /at most 50000000/)
  })

  test('without quoting what it read: a URL may have led to a secret', () => {
    assert.doesNotMatch(refusal('{"password": "hunter2", oops'), /hunter2/)
    assert.doesNotMatch(refusal('password: hunter2: x'), /hunter2/)
  })
})

suite('parseDocument takes bounded time for', () => {
  const head = 'openapi: 3.0.0\n'
  const laughs = Array.from({ length: 40 }, (_, level) => `a${level + 1}: &a${level + 1} [*a${level},*a${level}]\n`)
  const keys = Array.from({ length: 5_000 }, (_, index) => `k${index}: 1`).join(', ')
  const cases = [
    { name: 'an alias bomb', text: `${head}a0: &a0 [1]\n${laughs.join('')}`, says: /through its aliases/ },
    {
      name: 'a merge key bomb',
      text: `${head}a: &a {${keys}}\nx: {<<: [${'*a,'.repeat(2_000)}]}`,
      says: /through its (?:aliases|merge keys)/,
    },
    {
      name: 'a merge key bomb in one mapping',
      text: `${head}a: &a {${keys}}\nx: {${'<<: *a,'.repeat(2_000)}}`,
      says: /through its merge keys/,
    },
    {
      name: 'a thousand levels',
      text: `${head}x:\n  ${'- '.repeat(1_000)}`,
      says: /more than 500 levels deep: line 3/,
    },
    { name: 'many brackets', text: `${head}x: ${'['.repeat(200_000)}`, says: /nested too deeply/ },
    { name: 'many dashes', text: `${head}x:\n  ${'- '.repeat(50_000)}`, says: /nested|neither valid/ },
    {
      name: 'broken JSON with many brackets',
      text: `{"openapi":"3.0.0","x":${'[{"a":'.repeat(50_000)}`,
      says: /deeply/,
    },
  ] as const
  for (const { name, text, says } of cases) {
    test(name, { timeout: 10_000 }, () => assert.match(refusal(text), says))
  }

  test('many aliases of one anchor', { timeout: 10_000 }, () => {
    parseDocument(`${head}a: &a [1]\nx: [${'*a,'.repeat(50_000)}]`)
  })
})

test('parseDocument throws nothing but document_invalid, whatever the text', () => {
  const piece = fc.constantFrom(
    'openapi: 3.0.0\n',
    '{',
    '}',
    '[',
    ']',
    ':',
    ' ',
    '\n',
    '- ',
    '&a ',
    '*a',
    '!!x ',
    '"',
    "'",
    '? ',
    '|',
    '>',
    '%',
    '---',
    '<<',
    'x',
    '\t',
    '#',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (source) => {
      try {
        parseDocument(source)
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === 'document_invalid', String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
