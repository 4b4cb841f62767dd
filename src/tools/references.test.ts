import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createReferences, referenceOf } from './references.ts'

const root = {
  components: {
    schemas: {
      Item: { type: 'object' },
      'a/b': { type: 'string' },
      'c~d': { type: 'number' },
      'e f%': { type: 'boolean' },
      Alias: { $ref: '#/components/schemas/Item' },
      Loop: { $ref: '#/components/schemas/Pool' },
      Pool: { $ref: '#/components/schemas/Loop' },
    },
    list: [{ type: 'null' }],
  },
}
const references = createReferences(root)

suite('locate finds', () => {
  const cases = [
    ['#/components/schemas/Item', root.components.schemas.Item],
    ['#/components/schemas/a~1b', root.components.schemas['a/b']],
    ['#/components/schemas/a%2Fb', undefined],
    ['#/components/schemas/c~0d', root.components.schemas['c~d']],
    ['#/components/schemas/e%20f%25', root.components.schemas['e f%']],
    ['#/components/list/0', root.components.list[0]],
    ['#/components/list/1', undefined],
    ['#/components/list/length', undefined],
    ['#/components/constructor', undefined],
    ['#/__proto__', undefined],
    ['#', root],
  ] as const
  for (const [reference, value] of cases) {
    test(`${reference}${value ? '' : ' (nothing)'}`, () => {
      const located = references.locate(reference)
      assert.equal(located.ok ? located.value : undefined, value)
    })
  }
})

suite('locate refuses', () => {
  const cases = [
    ['file:///etc/passwd', /"file:\/\/\/etc\/passwd", outside the document/],
    ['http://169.254.169.254/latest', /outside the document/],
    ['other.yaml#/a', /outside the document/],
    ['../x', /outside/],
    ['', /outside/],
    ['#item', /not a JSON pointer/],
    ['#/%zz', /not a JSON pointer/],
  ] as const
  for (const [reference, reason] of cases) {
    test(`"${reference}"`, () => {
      const located = references.locate(reference)
      assert.match(located.ok ? '' : located.reason, reason)
    })
  }
})

test('follow goes through chains and stops at circles', () => {
  assert.deepEqual(references.follow({ $ref: '#/components/schemas/Alias' }), { ok: true, value: { type: 'object' } })
  const circle = references.follow({ $ref: '#/components/schemas/Loop' })
  assert.match(circle.ok ? '' : circle.reason, /circle/)
})

test('a property named $ref is not a reference', () => {
  assert.equal(referenceOf({ $ref: { type: 'string' } }), undefined)
})
