import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cleanText, isVisible } from './text.ts'

test('strips what a person cannot see and a model can', () => {
  const hidden = [
    0x200b, 0x200d, 0x202e, 0x2066, 0xfeff, 0xad, 0xe0041, 0xe007f, 0xfe0f, 0x3164, 0x7, 0x1b, 0x9b, 0xe000, 0xd800,
  ]
  for (const code of hidden) {
    const text = `a${String.fromCodePoint(code)}b`
    assert.equal(cleanText(text, 100), 'ab', code.toString(16))
    assert.equal(isVisible(text), false)
  }
})

test('keeps letters of every script, emoji, tabs and line breaks', () => {
  const text = 'Füße\t日本語\nعربي 😀'
  assert.equal(cleanText(text, 100), text)
  assert.equal(cleanText('a\r\nb\u2028c', 100), 'a\nb\nc')
})

test('a cleaned text is visible, bounded and well formed, whatever it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (text, lengthMax) => {
      const cleaned = cleanText(text, lengthMax)
      assert.ok(cleaned.length <= lengthMax)
      assert.ok(cleaned.isWellFormed())
      assert.ok(isVisible(cleaned))
    }),
  )
})

test('what is not a text is no text', () => {
  for (const value of [undefined, null, 1, {}, ['a']]) assert.equal(cleanText(value, 10), '')
})
