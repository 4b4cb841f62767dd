import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, suite, test } from 'node:test'
import { createEgress } from './create-egress.ts'
import { fetchDocument } from './read-document.ts'

const options = { reach: 'operator', timeoutMs: 5000, bytesMax: 1000 } as const

suite('fetchDocument', () => {
  const egress = createEgress({ resolveHost: async () => [{ address: '127.0.0.1', family: 4 }] })
  const seen: http.IncomingMessage[] = []
  const server = http.createServer((request, response) => {
    seen.push(request)
    const path = request.url ?? ''
    const hops = /^\/hop\/(\d)$/.exec(path)?.[1]
    if (hops !== undefined) response.writeHead(302, { location: hops === '0' ? '/spec' : `${Number(hops) - 1}` }).end()
    else if (path === '/spec') response.writeHead(200, { 'content-type': 'application/yaml' }).end('openapi: 3.1.0')
    else if (path === '/large') response.end('x'.repeat(1001))
    else if (path === '/binary') response.end(Buffer.from([0xff, 0xfe, 0x00]))
    else if (path === '/to-metadata') response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end()
    else if (path === '/to-file') response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    else if (path === '/to-user') response.writeHead(302, { location: 'http://a:b@127.0.0.1/' }).end()
    else if (path === '/down') response.writeHead(503).end()
    else if (path === '/busy') response.writeHead(429).end()
    else if (path === '/nowhere') response.writeHead(302).end()
    else response.writeHead(404).end()
  })
  let origin = ''
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    origin = `http://127.0.0.1:${address.port}`
  })
  after(async () => {
    await egress.close()
    server.close()
  })

  test('gives the text, its type and the final address after three redirects', async () => {
    const document = await fetchDocument(egress, `${origin}/hop/2`, options)
    assert.deepEqual(document, { url: `${origin}/spec`, text: 'openapi: 3.1.0', contentType: 'application/yaml' })
    for (const { headers } of seen) {
      assert.equal(headers.authorization, undefined)
      assert.equal(headers.cookie, undefined)
    }
  })

  const refusals = [
    { path: '/hop/3', code: 'document_invalid', message: /redirects more than 3 times/ },
    { path: '/missing', code: 'document_invalid', message: /answered 404/ },
    { path: '/down', code: 'upstream_unreachable', message: /answered 503/ },
    { path: '/busy', code: 'upstream_unreachable', message: /answered 429/ },
    { path: '/large', code: 'document_invalid', message: /too large \(limit 1 KB\)/ },
    { path: '/binary', code: 'document_invalid', message: /not UTF-8/ },
    { path: '/to-metadata', code: 'egress_refused', message: /metadata/ },
    { path: '/to-file', code: 'document_invalid', message: /http/ },
    { path: '/to-user', code: 'document_invalid', message: /must not hold a user/ },
    { path: '/nowhere', code: 'document_invalid', message: /without a place to go/ },
  ]
  for (const { path, code, message } of refusals) {
    test(`refuses ${path} with ${code}`, async () => {
      await assert.rejects(fetchDocument(egress, `${origin}${path}`, options), { code, message })
    })
  }

  test('refuses what is not a web address', async () => {
    for (const address of ['spec.yaml', 'file:///etc/passwd', 'data:text/plain,x']) {
      await assert.rejects(fetchDocument(egress, address, options), { code: 'document_invalid' })
    }
  })

  test('checks a hop of a person like a first address', async () => {
    await assert.rejects(fetchDocument(egress, `${origin}/spec`, { ...options, reach: 'person' }), {
      code: 'egress_refused',
    })
  })

  test('counts the deadline over all hops together', async () => {
    let time = 0
    const now = () => {
      time += 2000
      return time
    }
    await assert.rejects(fetchDocument(egress, `${origin}/hop/2`, { ...options, now }), { code: 'upstream_timeout' })
  })
})
