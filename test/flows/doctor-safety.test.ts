import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { suite, test } from 'node:test'
import { diagnose } from '../../src/doctor/diagnose.ts'
import { createEgress } from '../../src/egress/create-egress.ts'
import { testCallers } from '../../src/testing/callers.ts'
import { startProvider } from './doctor-provider.ts'
import { always, assertNames, examine, secretsOf, serve } from './doctor-stand.ts'

const CHALLENGE = { 'www-authenticate': 'Bearer' }

/** Answers so, and keeps every credential that it was sent. */
function recording(answer: RequestListener): { readonly listener: RequestListener; readonly seen: string[] } {
  const seen: string[] = []
  const listener: RequestListener = (asked, response) => {
    seen.push(`${asked.method} ${asked.url} ${asked.headers.authorization ?? '-'}`)
    answer(asked, response)
  }
  return { listener, seen }
}

const credentials = (seen: readonly string[]) => seen.filter((line) => !line.endsWith(' -'))

suite('the doctor, with a token in its hand', () => {
  test('does not send it over plain http to another machine', async () => {
    const { listener, seen } = recording(always(401, CHALLENGE))
    await using server = await serve(listener)
    const token = await testCallers().token()
    const report = await examine({ url: `http://mcp.example:${server.port}/mcp`, token })
    assertNames(report, 'http_not_https', secretsOf(token))
    assert.ok(seen.length > 0)
    assert.deepEqual(credentials(seen), [])
  })

  test('does not follow a redirect with it, nor hand it to a page or to whoever the challenge names', async () => {
    const other = recording(always(200, { 'content-type': 'application/json' }, '{}'))
    await using elsewhere = await serve(other.listener)
    const token = await testCallers().token()
    const answers = [
      always(302, { location: `${elsewhere.url}/mcp` }),
      always(200, { 'content-type': 'text/html' }, '<html>'),
      always(401, { 'www-authenticate': 'Basic' }),
    ]
    for (const answer of answers) {
      const { listener, seen } = recording(answer)
      await using server = await serve(listener)
      await examine({ url: `${server.url}/mcp`, token })
      assert.deepEqual(credentials(seen), [])
    }
    const named = { 'www-authenticate': `Bearer resource_metadata="${elsewhere.url}/metadata"` }
    await using server = await serve(always(401, named))
    assertNames(await examine({ url: `${server.url}/mcp`, token }), 'authorization_stripped', secretsOf(token))
    assert.match(other.seen.join('\n'), /GET \/metadata -/)
    assert.deepEqual(credentials(other.seen), [])
  })

  test('shows no part of it, whatever a server repeats and wherever the text is cut', async () => {
    const token = await testCallers().token()
    const [, signature = ''] = secretsOf(token)
    for (const padding of [0, 20, 100, 150, 165, 170, 190, 500, 560]) {
      const said = `${'x'.repeat(padding)} ${signature} ${token} ${signature}`
      await using server = await serve((asked, response) => {
        const error =
          asked.headers.authorization === undefined ? '' : ` error="invalid_token", error_description="${said}"`
        response.writeHead(401, { 'www-authenticate': `Bearer${error}` }).end(said)
      })
      const text = JSON.stringify(await examine({ url: `${server.url}/mcp`, token }))
      for (let start = 0; start + 12 <= signature.length; start += 1) {
        assert.ok(!text.includes(signature.slice(start, start + 12)), text)
      }
    }
  })
})

suite('the doctor, led by what a public server says,', () => {
  test('asks nothing of private addresses', async () => {
    const inner = recording(always(200, { 'content-type': 'application/json' }, '{}'))
    await using inside = await serve(inner.listener)
    await using server = await serve((asked, response) => {
      if (asked.method === 'POST') return void response.writeHead(401, CHALLENGE).end()
      const resource = `http://${asked.headers.host}/mcp`
      response.end(JSON.stringify({ resource, authorization_servers: [inside.url] }))
    })
    const resolveHost = async () => [{ address: '127.0.0.1', family: 4 as const }]
    // As the gateway sees it, this one is public.
    const egress = createEgress({ resolveHost, allowedHosts: ['mcp.example'] })
    try {
      const url = `http://mcp.example:${server.port}/mcp`
      const report = await diagnose({ url }, { egress, reach: 'operator', now: Date.now })
      assert.ok(
        report.checks.some(({ cause }) => cause === 'issuer_unreachable'),
        JSON.stringify(report),
      )
      assert.deepEqual(inner.seen, [])
    } finally {
      await egress.close()
    }
    // One that is private itself may have its identity provider beside it.
    await examine({ url: `${server.url}/mcp` })
    assert.ok(inner.seen.length > 0)
  })
})

suite('the doctor, of a server that does not say why,', () => {
  test('finds out by itself whether a key of the named issuer signed the token', async () => {
    await using provider = await startProvider()
    await using otherRealm = await startProvider()
    await using server = await serve((asked, response) => {
      const url = `http://${asked.headers.host}`
      if (asked.method === 'GET') {
        response.end(JSON.stringify({ resource: `${url}/mcp`, authorization_servers: [provider.url] }))
        return
      }
      const error = asked.headers.authorization === undefined ? '' : ' error="invalid_token"'
      response.writeHead(401, { 'www-authenticate': `Bearer${error}` }).end()
    })
    const url = `${server.url}/mcp`
    const forged = await otherRealm.sign({ iss: provider.url, aud: url })
    assertNames(await examine({ url, token: forged }), 'signature_wrong', secretsOf(forged))
    const good = await provider.grant(url)
    assertNames(await examine({ url, token: good }), 'token_refused', secretsOf(good))
  })
})
