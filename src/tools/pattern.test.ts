import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { boundedPattern, isBounded, unicodePattern } from './pattern.ts'

suite('runs the patterns that documents really have', () => {
  const cases = [
    { pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', fits: 'my-pod', not: 'My_Pod' },
    { pattern: '^\\d{4}-\\d{2}-\\d{2}$', fits: '2026-01-01', not: '01.01.2026' },
    { pattern: '^(asc|desc)$', fits: 'asc', not: 'up' },
    {
      pattern: '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
      fits: '00000000-0000-0000-0000-000000000000',
      not: 'x',
    },
    { pattern: '[a-z]+', fits: 'A1b', not: 'A1' },
    { pattern: '^[a-zA-Z0-9\\-\\_]+$', fits: 'a_b', not: 'a b' },
    { pattern: '^\\p{L}+$', fits: 'é', not: '1' },
    { pattern: '^\\+[1-9]\\d{1,14}$', fits: '+4912345', not: '4912345' },
  ] as const
  for (const { pattern, fits, not } of cases) {
    test(pattern, () => {
      assert.equal(isBounded(pattern), true)
      assert.equal(boundedPattern(pattern).test(fits), true)
      assert.equal(boundedPattern(pattern).test(not), false)
    })
  }
})

suite('never runs a pattern whose time it cannot bound', () => {
  const cases = [
    '^(a+)+$',
    '^(a|a)*$',
    '^(a|ab|b)+$',
    '(?=a+)a*b',
    '^(.*)\\1$',
    '^a*a*a*a*a*b$',
    '.*.*.*=.*',
    `^${'a?'.repeat(30)}${'a'.repeat(30)}$`,
    '^((a{1,200}){1,200}){1,200}$',
    '^(?<x>a+)+$',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
  ]
  for (const pattern of cases) {
    test(pattern, { timeout: 5_000 }, () => {
      assert.equal(isBounded(pattern), false)
      assert.equal(boundedPattern(pattern).test(`${'a'.repeat(200)}!`), true)
    })
  }

  test('and runs none on a long text', () => {
    assert.equal(boundedPattern('^a*$').test('!'.repeat(256)), false)
    assert.equal(boundedPattern('^a*$').test('!'.repeat(257)), true)
  })
})

test('knows what is no pattern', () => {
  assert.equal(unicodePattern('^(a$'), undefined)
  assert.equal(unicodePattern('(?i)abc'), undefined)
  assert.equal(unicodePattern('a{2,1}'), undefined)
})

test('writes a pattern as the u flag takes it, with the same meaning', () => {
  const written = [
    ['^[a-z\\-_]+$', '^[a-z\\-_]+$'],
    ['^\\d\\-\\d$', '^\\d-\\d$'],
    ['^\\_\\@[\\_\\-a]\\-\\\\_$', '^_@[_\\-a]-\\\\_$'],
    ['^\\/\\.\\{$', '^\\/\\.\\{$'],
  ] as const
  for (const [pattern, expected] of written) {
    assert.equal(unicodePattern(pattern), expected)
    for (const text of ['a-_', '1-2', '_@-\\_', '_@a-\\_', '/.{']) {
      assert.equal(new RegExp(expected, 'u').test(text), new RegExp(pattern).test(text), `${pattern} ${text}`)
    }
  }
})

test('every pattern that it runs answers in time, on texts made to be slow', { timeout: 120_000 }, () => {
  const leaf = fc.constantFrom('a', '.', '[ab]', 'ab', '\\w')
  const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
    pattern: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc
        .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,9}', '{3,}'))
        .map(([inner, times]) => `(?:${inner})${times}`),
      fc.tuple(leaf, fc.constantFrom('*', '+', '?')).map((parts) => parts.join('')),
      fc.tuple(tie('pattern'), tie('pattern')).map((parts) => parts.join('')),
      fc.tuple(tie('pattern'), tie('pattern')).map(([left, right]) => `(${left}|${right})`),
    ),
  }))
  fc.assert(
    fc.property(pattern, fc.boolean(), (inner, anchored) => {
      const compiled = boundedPattern(anchored ? `^${inner}!$` : `${inner}!`)
      const started = process.cpuUsage().user
      compiled.test('a'.repeat(256))
      assert.ok(process.cpuUsage().user - started < 3_000_000, 'more than three seconds')
    }),
    { numRuns: 300 },
  )
})
