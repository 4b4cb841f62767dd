import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { importOpenApi } from './from-openapi.ts'

suite('a tool is called on the server', () => {
  const servers = (url: string) => ({ servers: [{ url }] })
  const cases = [
    { name: 'of the document', rest: servers('https://a.example/v1/'), server: 'https://a.example/v1' },
    {
      name: 'of the path before it',
      rest: servers('https://a.example'),
      pathItem: servers('https://b.example'),
      server: 'https://b.example',
    },
    {
      name: 'of the operation before both',
      pathItem: servers('https://b.example'),
      operation: servers('https://c.example'),
      server: 'https://c.example',
    },
    {
      name: 'unless there is a base URL',
      rest: servers('https://a.example'),
      options: { baseUrl: 'http://base.example/api/' },
      server: 'http://base.example/api',
    },
    {
      name: 'relative to the document',
      rest: servers('../v2'),
      options: { documentUrl: 'https://d.example/docs/api/o.json' },
      server: 'https://d.example/docs/v2',
    },
    {
      name: 'which is the document’s host when none is named',
      options: { documentUrl: 'https://d.example/o.json' },
      server: 'https://d.example',
    },
    { name: 'or none, when nothing says', rest: servers('/v2'), server: undefined },
    { name: 'or none, when it is not http', rest: servers('file:///etc/'), server: undefined },
    { name: 'or none, when a variable has no default', rest: servers('https://{tenant}.example/'), server: undefined },
    { name: 'without a password in it', rest: servers('https://u:p@a.example/'), server: 'https://a.example' },
  ]
  for (const { name, rest = {}, pathItem = {}, operation = {}, options, server } of cases) {
    test(name, () => {
      const [tool] = importOpenApi(
        { version: '3.0', root: { openapi: '3.0.3', paths: { '/x': { ...pathItem, get: operation } }, ...rest } },
        options,
      ).tools
      assert.equal(tool?.operation.server, server)
    })
  }
})
