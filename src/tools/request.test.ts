import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import type { Arguments } from './path-template.ts'
import { buildRequest } from './request.ts'
import type { Operation, OperationBody, OperationParameter, Tool } from './tool.ts'

function parameter(name: string, given: Partial<OperationParameter> = {}): OperationParameter {
  const base = { name, argument: name, in: 'query', required: false, style: 'form', explode: true } as const
  return { ...base, allowReserved: false, json: false, ...given }
}

function pathParameter(name: string, given: Partial<OperationParameter> = {}): OperationParameter {
  return parameter(name, { in: 'path', required: true, style: 'simple', explode: false, ...given })
}

function tool(operation: Partial<Operation>): Tool {
  return {
    name: 'x',
    description: '',
    inputSchema: {},
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    operation: { method: 'GET', path: '/x', server: undefined, parameters: [], body: undefined, ...operation },
  }
}

function pathFor(parameters: readonly OperationParameter[], args: Arguments, path = '/x'): string {
  return buildRequest(tool({ parameters, path }), args).path
}

/** The argument that is refused, or a failure. */
function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    assert.equal(error.code, 'unsafe_value')
    return error.message
  }
  return assert.fail('not refused')
}

suite('a path value stays in its segment (T14)', () => {
  const kept = [
    ['a/b', 'a%2Fb'],
    ['a?b=c', 'a%3Fb%3Dc'],
    ['a#b', 'a%23b'],
    ['a%b', 'a%25b'],
    ['a\\b', 'a%5Cb'],
    ['a\r\nb', 'a%0D%0Ab'],
    ['a;b', 'a%3Bb'],
    ['@evil.example', '%40evil.example'],
    ['//evil.example', '%2F%2Fevil.example'],
    ['...', '...'],
    ['v1.2', 'v1.2'],
    ['.git', '.git'],
    ['100%', '100%25'],
    ['日本', '%E6%97%A5%E6%9C%AC'],
  ] as const
  for (const [value, written] of kept) {
    test(`${JSON.stringify(value)} becomes ${written}`, () => {
      assert.equal(pathFor([pathParameter('id')], { id: value }, '/a/{id}/b'), `/a/${written}/b`)
    })
  }

  const refused = [
    '',
    '.',
    '..',
    '../x',
    'x/..',
    'a/../b',
    'a\\..\\b',
    '%2e',
    '%2E%2e',
    '.%2e',
    '%2e%2e%2fx',
    '%252e%252e',
    '..%2f',
    '..;',
    '..;a=b/c',
    ' .. ',
    '%25252525252e',
  ]
  for (const value of refused) {
    test(`${JSON.stringify(value)} is refused`, () => {
      assert.match(
        refusal(() => pathFor([pathParameter('id')], { id: value }, '/a/{id}/b')),
        /"id"/,
      )
    })
  }

  test('also where the template and the value make dots together', () => {
    const both = [pathParameter('a'), pathParameter('b')]
    assert.match(
      refusal(() => pathFor(both, { a: ['x', '..'], b: 'x' }, '/{a}/{b}')),
      /"a"/,
    )
    assert.match(
      refusal(() => pathFor([pathParameter('a', { style: 'label' })], { a: [] }, '/{a}/x')),
      /"a"/,
    )
    assert.match(
      refusal(() => pathFor([pathParameter('a', { style: 'label', explode: true })], { a: ['', ''] }, '/{a}')),
      /"a"/,
    )
  })

  test('a missing or null value is refused', () => {
    for (const args of [{}, { id: null }])
      assert.match(
        refusal(() => pathFor([pathParameter('id')], args, '/{id}')),
        /missing/,
      )
  })

  test('an inherited property is not an argument', () => {
    const named = [pathParameter('constructor')]
    assert.match(
      refusal(() => pathFor(named, {}, '/{constructor}')),
      /missing/,
    )
    assert.equal(pathFor([parameter('toString')], {}), '/x')
  })

  test('whatever the value, the URL has the same origin, the same segments and no query', () => {
    const nasty = fc.array(
      fc.constantFrom(
        '.',
        '..',
        '/',
        '\\',
        '%',
        '2e',
        '%2e',
        '%2F',
        '?',
        '#',
        ';',
        '@',
        ':',
        '\r',
        '\n',
        '\t',
        ' ',
        'a',
        '%25',
        '\0',
      ),
      { maxLength: 8 },
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      nasty.map((pieces) => pieces.join('')),
    )
    const style = fc.constantFrom('simple', 'label', 'matrix')
    const value = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.dictionary(text, text, { maxKeys: 3 }))
    fc.assert(
      fc.property(
        value,
        style,
        fc.boolean(),
        fc.constantFrom('{id}', '.{id}', 'x{id}', '{id}.json'),
        (id, how, explode, segment) => {
          let path: string
          try {
            path = pathFor([pathParameter('id', { style: how, explode })], { id }, `/api/${segment}/end`)
          } catch (error) {
            assert.ok(error instanceof GatewayError && error.code === 'unsafe_value', String(error))
            return
          }
          assert.match(path, /^[\x21-\x7e]+$/)
          const url = new URL(`https://api.example${path}`)
          assert.equal(url.origin, 'https://api.example')
          assert.equal(url.search + url.hash + url.username, '')
          const segments = url.pathname.split('/')
          assert.deepEqual([segments.length, segments[1], segments[3]], [4, 'api', 'end'], path)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

suite('writes parameters in every style', () => {
  const list = ['a b', 'c,d']
  const object = { x: 1, y: 'a&b' }
  const path = [
    ['simple', false, list, 'a%20b,c%2Cd'],
    ['simple', false, object, 'x,1,y,a%26b'],
    ['simple', true, object, 'x=1,y=a%26b'],
    ['label', false, 5, '.5'],
    ['label', true, list, '.a%20b.c%2Cd'],
    ['label', false, list, '.a%20b,c%2Cd'],
    ['matrix', false, 5, ';p=5'],
    ['matrix', false, list, ';p=a%20b,c%2Cd'],
    ['matrix', true, list, ';p=a%20b;p=c%2Cd'],
    ['matrix', true, object, ';x=1;y=a%26b'],
  ] as const
  for (const [style, explode, value, written] of path) {
    test(`path ${style}${explode ? ' exploded' : ''} ${JSON.stringify(value)}`, () => {
      assert.equal(pathFor([pathParameter('p', { style, explode })], { p: value }, '/{p}'), `/${written}`)
    })
  }
  const query = [
    ['form', true, 'a&b=c#d?', 'p=a%26b%3Dc%23d%3F'],
    ['form', true, list, 'p=a%20b&p=c%2Cd'],
    ['form', false, list, 'p=a%20b,c%2Cd'],
    ['form', true, object, 'x=1&y=a%26b'],
    ['form', false, object, 'p=x,1,y,a%26b'],
    ['spaceDelimited', false, list, 'p=a%20b%20c%2Cd'],
    ['pipeDelimited', false, list, 'p=a%20b%7Cc%2Cd'],
    [
      'deepObject',
      true,
      { a: { b: [1, 2] }, c: true },
      'p%5Ba%5D%5Bb%5D%5B0%5D=1&p%5Ba%5D%5Bb%5D%5B1%5D=2&p%5Bc%5D=true',
    ],
    ['form', true, false, 'p=false'],
    ['form', true, 0, 'p=0'],
    ['form', true, '', 'p='],
  ] as const
  for (const [style, explode, value, written] of query) {
    test(`query ${style}${explode ? ' exploded' : ''} ${JSON.stringify(value)}`, () => {
      assert.equal(pathFor([parameter('p', { style, explode })], { p: value }), `/x?${written}`)
    })
  }

  test('query null and empty lists, not at all', () => {
    assert.equal(pathFor([parameter('p')], { p: null }), '/x')
    assert.equal(pathFor([parameter('p')], { p: [] }), '/x')
    assert.equal(pathFor([parameter('p', { style: 'deepObject' })], { p: {} }), '/x')
  })

  test('allowReserved without what would end the value', () => {
    assert.equal(
      pathFor([parameter('p', { allowReserved: true })], { p: 'a/b:c?d&e#f=g+h%' }),
      '/x?p=a/b:c?d%26e%23f%3Dg%2Bh%25',
    )
  })

  test('a content parameter as JSON, and the wire name instead of the argument’s', () => {
    assert.equal(pathFor([parameter('p', { json: true })], { p: { a: 1 } }), '/x?p=%7B%22a%22%3A1%7D')
    assert.equal(pathFor([parameter('filter[x]', { argument: 'filter_x' })], { filter_x: 1 }), '/x?filter%5Bx%5D=1')
  })

  test('cookies, encoded', () => {
    const cookies = ['a', 'b'].map((name) => parameter(name, { in: 'cookie' }))
    const { headers } = buildRequest(tool({ parameters: cookies }), { a: 'x; admin=1', b: [1, 2] })
    assert.deepEqual(headers, { cookie: 'a=x%3B%20admin%3D1; b=1%2C2' })
  })

  test('a path with letters that a URL cannot have, encoded once', () => {
    assert.equal(pathFor([], {}, '/ä b/%20/c%'), '/%C3%A4%20b/%20/c%25')
  })
})

suite('a query or header never carries more than its value (T22)', () => {
  for (const value of ['a\r\nX-Admin: 1', 'a\nb', 'a\0b', '日本', '\u007f', ['x', '\r\n'], { 'a\r\nb': 1 }]) {
    test(`header ${JSON.stringify(value)} is refused`, () => {
      const header = parameter('X-Note', { in: 'header', style: 'simple', explode: false })
      assert.match(
        refusal(() => buildRequest(tool({ parameters: [header] }), { 'X-Note': value })),
        /"X-Note"/,
      )
    })
  }

  test('header values of one line are sent as they are', () => {
    const header = parameter('X-Note', { in: 'header', style: 'simple', explode: false })
    const { headers } = buildRequest(tool({ parameters: [header] }), { 'X-Note': ['a', 1, 'é'] })
    assert.deepEqual(headers, { 'X-Note': 'a,1,é' })
  })

  test('whatever the value, the query has just its own parameter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (value, allowReserved) => {
        fc.pre(value.isWellFormed())
        const url = new URL(`https://api.example${pathFor([parameter('p', { allowReserved })], { p: value })}`)
        assert.deepEqual([...url.searchParams], [['p', value]])
        assert.equal(url.hash, '')
      }),
    )
  })

  test('the free members of an object are no other parameter, in any spelling', () => {
    const parameters = [parameter('tenant'), parameter('filter')]
    for (const name of ['tenant', 'Tenant', 'tenant[]', ' tenant', 'action', 'action[x]']) {
      const args = { tenant: 'a', filter: { ok: 1, [name]: 'b' } }
      const refused = refusal(() => pathFor(parameters, args, '/x?Action=List'))
      assert.equal(refused, 'The argument "filter" has a member that is called like another parameter.')
    }
    assert.equal(
      pathFor(parameters, { tenant: 'a', filter: { tenants: 1, filter: 2 } }, '/x?Action=List'),
      '/x?Action=List&tenant=a&tenants=1&filter=2',
    )
    const prefixed = [parameter('tenant'), parameter('filter', { style: 'deepObject' })]
    assert.equal(pathFor(prefixed, { filter: { tenant: 'b' } }), '/x?filter%5Btenant%5D=b')
  })

  test('half a character is refused', () => {
    assert.match(
      refusal(() => pathFor([parameter('p')], { p: '\ud800' })),
      /"p"/,
    )
  })

  test('an object nested without end is refused', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    refusal(() => pathFor([parameter('p', { style: 'deepObject' })], { p: { deep } }))
    refusal(() => pathFor([parameter('p', { json: true })], { p: deep }))
  })

  test('JSON may be a thousand levels deep, whatever Node could write', () => {
    let deep: unknown = 'leaf'
    for (let level = 0; level < 1000; level += 1) deep = level % 2 === 0 ? [0, deep] : { a: 0, deep }
    assert.match(pathFor([parameter('p', { json: true })], { p: deep }), /leaf/)
    assert.equal(
      refusal(() => pathFor([parameter('p', { json: true })], { p: [deep] })),
      'The argument "p" is nested more than 1000 levels deep.',
    )
  })
})

suite('writes bodies', () => {
  const fields = (
    contentType: string,
    required = true,
    fieldRules: OperationBody['fieldRules'] = {},
  ): OperationBody => ({
    contentType,
    required,
    shape: { kind: 'fields', arguments: ['a', 'b'] },
    fieldRules,
  })
  const whole = (contentType: string): OperationBody => ({
    contentType,
    required: true,
    shape: { kind: 'whole', argument: 'body' },
  })
  const cases = [
    {
      name: 'only the given fields as JSON',
      body: fields('application/json'),
      args: { b: null, id: 1 },
      is: '{"b":null}',
    },
    { name: 'a required body without fields', body: fields('application/json'), args: {}, is: '{}' },
    {
      name: 'an optional body without fields, not at all',
      body: fields('application/json', false),
      args: {},
      is: undefined,
    },
    { name: 'a whole body', body: whole('application/merge-patch+json'), args: { body: [1] }, is: '[1]' },
    { name: 'a whole body that is null', body: whole('application/json'), args: { body: null }, is: 'null' },
    { name: 'plain text', body: whole('text/plain'), args: { body: 'a\r\nb' }, is: 'a\r\nb' },
    {
      name: 'a form',
      body: fields('application/x-www-form-urlencoded'),
      args: { a: 'x&y', b: [1, 2] },
      is: 'a=x%26y&b=1&b=2',
    },
    {
      name: 'an object in a form',
      body: fields('application/x-www-form-urlencoded'),
      args: { a: { b: { c: 1 } } },
      is: 'a%5Bb%5D%5Bc%5D=1',
    },
    {
      name: 'a list in a form with brackets',
      body: fields('application/x-www-form-urlencoded', true, { a: { style: 'deepObject' } }),
      args: { a: ['x'] },
      is: 'a%5B0%5D=x',
    },
  ]
  for (const { name, body, args, is } of cases) {
    test(name, () => {
      const request = buildRequest(tool({ method: 'POST', body }), args)
      assert.equal(request.body, is)
      assert.equal(request.headers['content-type'], is === undefined ? undefined : body.contentType)
    })
  }
})
