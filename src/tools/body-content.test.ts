import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { importOpenApi } from './from-openapi.ts'
import type { Arguments } from './path-template.ts'
import { buildRequest } from './request.ts'
import type { Tool } from './tool.ts'

function toolWith(
  content: object,
  { version = '3.0', rest = {} }: { version?: '3.0' | '3.1'; rest?: object } = {},
): Tool {
  const paths = { '/x': { post: { requestBody: { required: true, content } } } }
  const { tools, setAside } = importOpenApi({ version, root: { openapi: `${version}.0`, paths, ...rest } })
  const [tool] = tools
  assert.ok(tool, JSON.stringify(setAside))
  return tool
}

/** What a server reads out of the request: real parsers, not ours. */
function received(tool: Tool, args: Arguments): Response {
  const { headers, body } = buildRequest(tool, args)
  return new Response(typeof body === 'string' ? body : new Uint8Array(body ?? []), { headers })
}

async function parts(tool: Tool, args: Arguments) {
  const form = await received(tool, args).formData()
  return Promise.all(
    [...form].map(async ([name, value]) => {
      if (typeof value === 'string') return [name, value]
      return [name, { file: value.name, type: value.type, hex: Buffer.from(await value.arrayBuffer()).toString('hex') }]
    }),
  )
}

const upload = {
  type: 'object',
  required: ['file'],
  properties: {
    file: { type: 'string', format: 'binary', description: 'The picture.' },
    title: { type: 'string' },
    tags: { type: 'array', items: { type: 'string' } },
    meta: { type: 'object' },
    size: { type: 'integer' },
    more: { type: 'array', items: { $ref: '#/components/schemas/File' }, maxItems: 3 },
  },
}
const rest = { components: { schemas: { File: { type: 'string', format: 'binary' } } } }

suite('a multipart body', () => {
  test('takes files in base64 and says so in the schema', () => {
    const { inputSchema } = toolWith({ 'multipart/form-data': { schema: upload } }, { rest })
    assert.deepEqual(inputSchema['required'], ['file'])
    const file = { type: 'string', contentEncoding: 'base64' }
    assert.deepEqual(inputSchema['properties'], {
      ...upload.properties,
      file: { ...file, description: 'The picture. In base64.' },
      more: { type: 'array', items: file, maxItems: 3, description: 'In base64.' },
    })
  })

  test('has a part for every value, as a server reads it', async () => {
    const tool = toolWith({ 'multipart/form-data': { schema: upload } }, { rest })
    const args = {
      file: '//79',
      title: 'Tür "1"\r\n--x',
      tags: ['a', 'b'],
      meta: { a: [1] },
      size: 7,
      more: ['AA==', '_w'],
    }
    assert.deepEqual(await parts(tool, args), [
      ['file', { file: 'file', type: 'application/octet-stream', hex: 'fffefd' }],
      ['title', 'Tür "1"\r\n--x'],
      ['tags', 'a'],
      ['tags', 'b'],
      ['meta', '{"a":[1]}'],
      ['size', '7'],
      ['more', { file: 'more', type: 'application/octet-stream', hex: '00' }],
      ['more', { file: 'more', type: 'application/octet-stream', hex: 'ff' }],
    ])
  })

  test('keeps what `encoding` says of a part', async () => {
    const schema = { type: 'object', properties: { pic: {}, list: { type: 'array', items: { type: 'integer' } } } }
    const encoding = { pic: { contentType: 'image/png, image/jpeg' }, list: { contentType: 'application/json' } }
    const tool = toolWith({ 'multipart/form-data': { schema, encoding } }, { version: '3.1' })
    assert.deepEqual(await parts(tool, { pic: 'AA==', list: [1, 2] }), [
      ['pic', { file: 'pic', type: 'image/png', hex: '00' }],
      ['list', '[1,2]'],
    ])
  })

  test('that is one argument knows its files too, behind allOf and $ref', async () => {
    const schema = { allOf: [{ $ref: '#/components/schemas/Upload' }, { properties: { note: { type: 'string' } } }] }
    const components = { schemas: { ...rest.components.schemas, Upload: upload } }
    const tool = toolWith({ 'multipart/form-data': { schema } }, { rest: { components } })
    assert.match(JSON.stringify(tool.inputSchema['properties']), /In base64: file, more\./)
    assert.deepEqual(await parts(tool, { body: { file: 'AQI=', note: 'n', constructor: 'c' } }), [
      ['file', { file: 'file', type: 'application/octet-stream', hex: '0102' }],
      ['note', 'n'],
      ['constructor', 'c'],
    ])
  })

  test('is read as it was meant, whatever the names and the values', async () => {
    const tool = toolWith({ 'multipart/form-data': {} })
    // Parsers read names as they like (trailing spaces, percent signs); what counts is that no name or value begins a part.
    const value = fc.string({ unit: fc.constantFrom('a', 'é', '"', '\r', '\n', '-', ';', '=', ':', ' ') })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(value, value), { maxLength: 5 }), async (pairs) => {
        const body = Object.fromEntries(pairs.map(([name, text]) => [`n${name}`, text]))
        assert.deepEqual(Object.fromEntries(await received(tool, { body }).formData()), body)
      }),
      { numRuns: 50 },
    )
  })
})

suite('a body of bytes', () => {
  for (const offered of ['application/octet-stream', 'image/png', 'application/pdf', 'image/*']) {
    test(`${offered} is taken in base64 and sent as it is`, async () => {
      const tool = toolWith({ [offered]: { schema: { type: 'string', format: 'binary' } } })
      const contentType = offered === 'image/*' ? 'application/octet-stream' : offered
      assert.deepEqual(tool.inputSchema['properties'], {
        body: {
          type: 'string',
          contentEncoding: 'base64',
          contentMediaType: contentType,
          description: `The bytes of the body (${contentType}) in base64.`,
        },
      })
      const response = received(tool, { body: 'AP8N\nCg==' })
      assert.equal(response.headers.get('content-type'), contentType)
      assert.equal(Buffer.from(await response.arrayBuffer()).toString('hex'), '00ff0d0a')
    })
  }

  for (const text of ['hello', 'a b!', 'AA==AA', '====', 7, `${' '.repeat(200_000)}!`]) {
    test(`refuses ${JSON.stringify(text).slice(0, 20)}, which is not base64`, { timeout: 5_000 }, () => {
      const tool = toolWith({ 'application/octet-stream': {} })
      assert.throws(
        () => buildRequest(tool, { body: text }),
        (error) => error instanceof GatewayError && error.code === 'unsafe_value' && error.message.includes('"body"'),
      )
    })
  }
})

suite('a body of text', () => {
  for (const type of ['application/xml', 'text/xml', 'application/soap+xml', 'text/csv', 'application/jwt']) {
    test(`${type} is one text, sent as it is`, async () => {
      const tool = toolWith({ [type]: { schema: { type: 'object', properties: { a: {} } } } })
      assert.match(JSON.stringify(tool.inputSchema['properties']), /"type":"string"/)
      assert.equal(await received(tool, { body: '<a>ü</a>' }).text(), '<a>ü</a>')
    })
  }

  test('a content type that would begin another header is none', () => {
    const content = { 'text/csv\r\nX-Evil: 1': {}, 'text/ä': {} }
    const root = { openapi: '3.0.0', paths: { '/x': { post: { requestBody: { content } } } } }
    assert.match(importOpenApi({ version: '3.0', root }).setAside[0]?.reason ?? '', /cannot be sent/)
  })
})

suite('a form', () => {
  test('has no field twice: an exploded object has no member that is called like one', () => {
    const free = { type: 'object', additionalProperties: true }
    const schema = { type: 'object', properties: { tenant: { type: 'string' }, filter: free } }
    const encoding = { filter: { style: 'form', explode: true } }
    const tool = toolWith({ 'application/x-www-form-urlencoded': { schema, encoding } })
    assert.equal(buildRequest(tool, { tenant: 'a', filter: { b: 'c' } }).body, 'tenant=a&b=c')
    for (const args of [{ tenant: 'a', filter: { tenant: 'b' } }, { filter: { Tenant: 'b' } }]) {
      assert.throws(() => buildRequest(tool, args), {
        code: 'unsafe_value',
        message: /^The argument "filter" has a member/,
      })
    }
  })

  const schema = { type: 'object', properties: { a: {} } }
  const list = ['x', 'y z']
  const map = { k: 'v', w: 1 }
  const cases = [
    { name: 'lists repeat the name', encoding: {}, value: list, is: 'a=x&a=y%20z' },
    { name: 'objects have brackets', encoding: {}, value: map, is: 'a%5Bk%5D=v&a%5Bw%5D=1' },
    { name: 'form, not exploded', encoding: { style: 'form', explode: false }, value: list, is: 'a=x,y%20z' },
    { name: 'form, exploded, of an object', encoding: { style: 'form' }, value: map, is: 'k=v&w=1' },
    {
      name: 'form, not exploded, of an object',
      encoding: { style: 'form', explode: false },
      value: map,
      is: 'a=k,v,w,1',
    },
    { name: 'spaces', encoding: { style: 'spaceDelimited' }, value: list, is: 'a=x%20y%20z' },
    { name: 'pipes', encoding: { style: 'pipeDelimited' }, value: list, is: 'a=x%7Cy%20z' },
    { name: 'brackets for a list', encoding: { style: 'deepObject' }, value: list, is: 'a%5B0%5D=x&a%5B1%5D=y%20z' },
    {
      name: 'a field that is JSON',
      encoding: { contentType: 'application/json' },
      value: map,
      is: `a=${encodeURIComponent('{"k":"v","w":1}')}`,
    },
    { name: 'reserved characters', encoding: { allowReserved: true }, value: 'a/b&c', is: 'a=a/b%26c' },
  ]
  for (const { name, encoding, value, is } of cases) {
    test(name, () => {
      const tool = toolWith({ 'application/x-www-form-urlencoded': { schema, encoding: { a: encoding } } })
      assert.equal(buildRequest(tool, { a: value }).body, is)
    })
  }
})
