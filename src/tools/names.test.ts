import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { argumentName, toolNames } from './names.ts'

const get = (path: string, operationId?: string) => ({ method: 'GET', path, operationId })

suite('toolNames', () => {
  const cases = [
    { name: 'the operation id', operation: get('/a', 'listItems'), is: /^listItems$/ },
    { name: 'an id with other characters', operation: get('/a', 'repos/list-tags (v2)'), is: /^repos_list-tags_v2$/ },
    { name: 'method and path without an id', operation: get('/api/items/{id}'), is: /^get_api_items_id$/ },
    { name: 'method and path for an id of no letters', operation: get('/a', '日本'), is: /^get_a$/ },
    { name: 'a long id, cut and marked', operation: get('/a', 'x'.repeat(80)), is: /^x{55}_[\w-]{8}$/ },
    { name: 'the root path', operation: get('/'), is: /^get$/ },
  ]
  for (const { name, operation, is } of cases) {
    test(`takes ${name}`, () => assert.match(toolNames([operation])[0] ?? '', is))
  }

  test('marks all that would be called the same, so none depends on which came first', () => {
    const operations = [get('/a', 'same'), get('/b', 'same'), get('/c', 'other')]
    const names = toolNames(operations)
    assert.match(names[0] ?? '', /^same_/)
    assert.match(names[1] ?? '', /^same_/)
    assert.equal(names[2], 'other')
    assert.deepEqual(toolNames(operations.toReversed()), names.toReversed())
  })

  test('are not taken over by an id that was made to look like a marked one', () => {
    const [marked = ''] = toolNames([get('/a', 'same'), get('/b', 'same')])
    const names = toolNames([get('/a', 'same'), get('/b', 'same'), get('/c', marked)])
    assert.equal(new Set(names).size, 3)
  })

  test('are unique, at most 64 of [A-Za-z0-9_-], and the same in any order', () => {
    const id = fc.option(fc.oneof(fc.constantFrom('a', 'b', 'a_', 'x'.repeat(70)), fc.string({ unit: 'binary' })), {
      nil: undefined,
    })
    const operation = fc.record({ operationId: id, method: fc.constantFrom('GET', 'POST'), path: fc.string() })
    const operations = fc.uniqueArray(operation, { selector: ({ method, path }) => `${method} ${path}`, maxLength: 30 })
    fc.assert(
      fc.property(operations, fc.nat(), (list, shift) => {
        const names = toolNames(list)
        assert.equal(new Set(names).size, list.length)
        for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/)
        const at = shift % (list.length + 1)
        const turned = [...list.slice(at), ...list.slice(0, at)]
        assert.deepEqual(toolNames(turned), [...names.slice(at), ...names.slice(0, at)])
      }),
    )
  })
})

test('argumentName gives every client a name it takes', () => {
  assert.equal(argumentName('filter[name]'), 'filter_name')
  assert.equal(argumentName('$top'), 'top')
  assert.equal(argumentName('_limit'), '_limit')
  assert.notEqual(argumentName('__proto__'), '__proto__')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => assert.match(argumentName(name), /^[A-Za-z0-9_.-]{1,64}$/)),
  )
})
