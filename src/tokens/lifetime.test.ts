import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lifetimeSeconds } from './lifetime.ts'

test('a lifetime is a number with a unit, ten years at most, or never', () => {
  const cases: readonly [string, number | undefined][] = [
    ['90s', 90],
    ['15m', 900],
    ['1h', 3600],
    ['30d', 2_592_000],
    ['3650d', 315_360_000],
    ['never', Number.POSITIVE_INFINITY],
    ...['3651d', '0d', '01h', '1', 'h', '1y', '-1h', '1.5h', '1h ', '1h\n', '1H', '', 'Never', '999999999d'].map(
      (text): [string, undefined] => [text, undefined],
    ),
  ]
  for (const [text, seconds] of cases) assert.equal(lifetimeSeconds(text), seconds, JSON.stringify(text))
})
