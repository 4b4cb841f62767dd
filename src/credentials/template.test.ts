import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { compileJsonTemplate, compileTemplate } from './template.ts'

suite('a template', () => {
  test('puts params in, with or without blanks', () => {
    assert.equal(compileTemplate('{{a}}-{{ b }}-{{a}}').render({ a: '1', b: '2' }), '1-2-1')
    assert.deepEqual(compileTemplate('{{a}}-{{ b }}-{{a}}').names, ['a', 'b'])
  })

  test('puts a value in once: it is never expanded again', () => {
    assert.equal(compileTemplate('{{a}}{{b}}').render({ a: '{{b}}', b: '{{a}}' }), '{{b}}{{a}}')
    assert.equal(compileTemplate('{{a}}{{b}}').render({ a: '{{', b: 'a}}' }), '{{a}}')
    assert.equal(compileTemplate('{{a}}').render({ a: '$& $1 $$' }), '$& $1 $$')
  })

  test('never expands the environment', () => {
    const dollar = '$'
    for (const text of [`${dollar}{HOME}`, '$HOME', '%HOME%']) {
      assert.equal(compileTemplate(text).render({}), text)
      assert.equal(compileTemplate('{{a}}').render({ a: text }), text)
    }
  })

  test('names a missing param and no value', () => {
    assert.throws(() => compileTemplate('{{known}} {{unknown}}').render({ known: 'canary-1' }), {
      code: 'credential_missing',
      message: 'The custom param unknown is not set. Set it in the workspace.',
    })
  })

  test('does not find what every object inherits', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      assert.throws(() => compileTemplate(`{{${name}}}`).render({}), { code: 'credential_missing' })
    }
  })

  test('keeps texts without placeholders as they are, whatever the params', () => {
    const anyText = fc.string().filter((text) => !text.includes('{{'))
    fc.assert(fc.property(anyText, (text) => compileTemplate(text).render({}) === text))
  })

  test('gives back any value unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        assert.equal(compileTemplate('<{{a}}>').render({ a: value }), `<${value}>`)
      }),
    )
  })
})

suite('a JSON template', () => {
  test('fills text leaves at any depth and leaves the rest', () => {
    const template = compileJsonTemplate({ user: '{{u}}', deep: [{ p: 'x{{p}}' }, 1, true, null], '{{u}}': 2 })
    assert.deepEqual(template.names, ['u', 'p'])
    assert.deepEqual(template.render({ u: '","admin":"', p: '2' }), {
      user: '","admin":"',
      deep: [{ p: 'x2' }, 1, true, null],
      '{{u}}': 2,
    })
  })

  test('keeps a key called __proto__ an ordinary key', () => {
    const rendered = compileJsonTemplate(JSON.parse('{"__proto__":{"a":"{{a}}"}}')).render({ a: '1' })
    assert.equal(JSON.stringify(rendered), '{"__proto__":{"a":"1"}}')
  })
})
