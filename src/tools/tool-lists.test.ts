import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToolLists } from './tool-lists.ts'

const items = Array.from({ length: 200 }, (_, index) => ({ name: `t${index}`, description: 'é,"]'.repeat(index % 7) }))
const texts = items.map((item) => JSON.stringify(item))
const all = `[${texts.join(',')}]`
const lists = new ToolLists(
  items.map(({ name }, index) => ({ name, length: texts[index]?.length ?? 0 })),
  all,
)

test('a list holds the tools that may be seen, in their order', () => {
  for (const divisor of [2, 3, 7, 199, 500]) {
    const visible = items.filter((_, index) => index % divisor === divisor - 1)
    const names = new Set(visible.map(({ name }) => name))
    assert.deepEqual(JSON.parse(lists.of((name) => names.has(name))), visible)
  }
  assert.equal(
    lists.of(() => true),
    all,
  )
  assert.equal(
    lists.of(() => false),
    '[]',
  )
})

test('more sets than are remembered make the same lists', () => {
  for (let round = 0; round < 300; round += 1) {
    const list = lists.of((name) => name !== `t${round % 200}`)
    assert.equal(JSON.parse(list).length, 199)
    assert.ok(!list.includes(`"t${round % 200}"`))
  }
})
