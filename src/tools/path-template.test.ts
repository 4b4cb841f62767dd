import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { importOpenApi } from './from-openapi.ts'
import { buildRequest } from './request.ts'
import type { Tool } from './tool.ts'

function toolAt(path: string, operation: object = {}): Tool {
  const document = { version: '3.0', root: { openapi: '3.0.3', paths: { [path]: { post: operation } } } } as const
  const { tools, setAside } = importOpenApi(document)
  const [tool] = tools
  assert.ok(tool, JSON.stringify(setAside))
  return tool
}

suite('a path that names its operation by more than a path (AWS, Flickr)', () => {
  const cases = [
    { path: '/?Action=ListUsers', sent: '/?Action=ListUsers' },
    { path: '/rest?method=flickr.photos.getInfo&format=json', sent: '/rest?method=flickr.photos.getInfo&format=json' },
    { path: '/a?b=c d&e="<é>&f=%41', sent: '/a?b=c%20d&e=%22%3C%C3%A9%3E&f=%41' },
    { path: '/a?b/../c', sent: '/a?b/../c' },
    { path: '/#X-Amz-Target=Logs.CreateLogGroup', sent: '/' },
    { path: '/files/{id}#add_shared_link', sent: '/files/7' },
    { path: '/a?b=1#c?d', sent: '/a?b=1' },
    { path: '/a?', sent: '/a' },
  ]
  for (const { path, sent } of cases) {
    test(`${path} is sent as ${sent}`, () => assert.equal(buildRequest(toolAt(path), { id: 7 }).path, sent))
  }

  test('is followed by the arguments of the query', () => {
    const tool = toolAt('/?Action=List', { parameters: [{ name: 'Max', in: 'query', schema: { type: 'integer' } }] })
    assert.equal(buildRequest(tool, { Max: 5 }).path, '/?Action=List&Max=5')
  })

  test('takes no argument for what the path says already', () => {
    const parameters = [
      { name: 'Action', in: 'query', required: true, schema: { enum: ['List'] } },
      { name: 'Action', in: 'header', schema: { type: 'string' } },
    ]
    const { inputSchema } = toolAt('/?Action=List', { parameters })
    assert.deepEqual(inputSchema['properties'], { Action: { type: 'string' } })
    assert.equal(inputSchema['required'], undefined)
  })

  test('makes as many tools as there are operations, each by a name of its own', () => {
    const paths = { '/#Action=A': { get: {} }, '/#Action=B': { get: {} }, '/?Action=A': { get: {} } }
    const { tools } = importOpenApi({ version: '3.0', root: { openapi: '3.0.3', paths } })
    assert.equal(new Set(tools.map(({ name }) => name)).size, 3)
  })
})
