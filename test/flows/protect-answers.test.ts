import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openEvents } from '../../src/testing/event-client.ts'
import {
  type AnswerMcp,
  beginEvents,
  type RecordingMcpServer,
  sendResult,
  startRecordingMcpServer,
} from '../../src/testing/recording-mcp-server.ts'
import { startProtected, type TestProtected, type TestProtectedOptions } from '../../src/testing/start-protected.ts'
import { at, send } from './http.ts'

const ACCEPT = { accept: 'application/json, text/event-stream' } as const
const CALL = { jsonrpc: '2.0', id: 'c1', method: 'tools/call', params: { name: 'open', arguments: {} } } as const
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' } as const
const CANARY = 'kanarienvogel'
const PAGE = `<html><script>alert("${CANARY}")</script></html>`
const TOLD = {
  'www-authenticate': `Bearer realm="${CANARY}"`,
  'set-cookie': `session=${CANARY}`,
  location: `http://127.0.0.1:1/${CANARY}`,
  'x-powered-by': CANARY,
  server: CANARY,
} as const
const progress = (count: number) =>
  `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: count } })}\n\n`
const result = `data: ${JSON.stringify({ jsonrpc: '2.0', id: CALL.id, result: { content: [] } })}\n\n`

interface Flow extends AsyncDisposable {
  readonly server: RecordingMcpServer
  readonly protecting: TestProtected
  readonly headers: { readonly authorization: string }
  post(body: unknown): ReturnType<typeof send>
}

async function startFlow(answer: AnswerMcp = () => false, options: TestProtectedOptions = {}): Promise<Flow> {
  await using parts = new AsyncDisposableStack()
  const server = parts.use(await startRecordingMcpServer())
  server.answer = answer
  const protecting = parts.use(await startProtected(server.url, options))
  const headers = { authorization: `Bearer ${await protecting.callers.token()}` }
  const started = parts.move()
  return {
    ...{ server, protecting, headers },
    post: (body) => send('POST', protecting.endpoint, { body, headers: { ...ACCEPT, ...headers } }),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const whole =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}): AnswerMcp =>
  (_request, response) => {
    response.writeHead(status, { ...TOLD, 'content-type': 'text/html', ...headers }).end(body)
    return true
  }

const streamed =
  (text: string, end: 'end' | 'destroy'): AnswerMcp =>
  (_request, response) => {
    beginEvents(response, TOLD).write(text, () => response[end]())
    return true
  }

suite('an answer of the MCP server that is none becomes an error in words and leaks nothing', () => {
  const json = { 'content-type': 'application/json' }
  const events = { 'content-type': 'text/event-stream' }
  const packed = { ...events, 'content-encoding': 'gzip' }
  const endless: AnswerMcp = (_request, response) => {
    response.writeHead(200, { ...json, ...TOLD })
    const write = () => response.write(' '.repeat(65_536), (error) => (error ? undefined : setImmediate(write)))
    write()
    return true
  }
  const cases = [
    ['401', whole(401, PAGE), 502, /does not accept the credential of this gateway/],
    ['401 in JSON', whole(401, `{"error":"${CANARY}"}`, json), 502, /does not accept the credential/],
    ['403', whole(403, PAGE), 502, /does not accept the credential/],
    ['a redirect', whole(302, PAGE), 502, /answered 302: redirects are not followed/],
    ['a redirect that keeps the method', whole(307, '', json), 502, /redirects are not followed/],
    ['a page', whole(200, PAGE), 502, /answered with something that is not MCP/],
    ['a page that calls itself a script', whole(200, PAGE, { 'content-type': 'text/javascript' }), 502, /not MCP/],
    ['nothing, and 200', whole(200, '', json), 502, /took the message without an answer \(200\)/],
    ['nothing, and 202', whole(202, ''), 502, /without an answer \(202\)/],
    ['nothing, and 204', whole(204, ''), 502, /without an answer \(204\)/],
    ['404 as a page', whole(404, PAGE), 404, /answered 404 Not Found/],
    ['500 as a page', whole(500, PAGE), 500, /answered 500 Internal Server Error/],
    ['nothing at all', (_request, response) => Boolean(response.destroy()), 502, /The MCP server/],
    ['an answer without end', endless, 502, /more than the limit of 1 MB/],
    ['half of an answer', whole(200, '{', { ...json, 'content-length': '100' }), 504, /./],
    [
      'a stream that is compressed',
      whole(200, gzipSync(result).toString('latin1'), packed),
      502,
      /compresses its stream/,
    ],
    ['events under another status', whole(500, result, events), 500, /answered 500/],
  ] as const satisfies readonly (readonly [string, AnswerMcp, number, RegExp])[]
  for (const [name, answer, status, message] of cases) {
    test(name, async () => {
      await using flow = await startFlow(answer, { upstream: { timeoutMs: 500, responseBytesMax: 1_000_000 } })
      const got = await flow.post(CALL)
      assert.equal(got.status, status, got.text)
      assert.match(String(at(got.body, 'error', 'message')), message)
      assert.equal(at(got.body, 'id'), CALL.id)
      assertNothingTold(got, flow)
    })
  }

  test('nothing for too long', async () => {
    await using flow = await startFlow(() => true, { upstream: { timeoutMs: 300 } })
    const got = await flow.post(CALL)
    assert.equal(got.status, 504)
    assert.match(got.text, /"id":"c1","error":\{"code":-32000,"message":"The MCP server/)
    await flow.server.seen[0]?.closed
  })

  test('an event that is too long', async () => {
    const long = `data: "${'x'.repeat(60_000)}"\n\n`
    await using flow = await startFlow(streamed(progress(1) + long, 'end'), { upstream: { responseBytesMax: 50_000 } })
    const got = await flow.post(CALL)
    assert.match(got.text, /"message":"The MCP server sent an event that is too long."/)
  })

  test('a session id that is too long', async () => {
    await using flow = await startFlow((request, response) => {
      beginEvents(response, { 'mcp-session-id': 'x'.repeat(5_000) }).end(result)
      return request.method === 'POST'
    })
    assert.match((await flow.post(CALL)).text, /session id is too long/)
  })

  test('good answers carry none of its own headers either', async () => {
    for (const answer of [whole(200, '{"jsonrpc":"2.0","id":"c1","result":{}}', json), streamed(result, 'end')]) {
      await using flow = await startFlow(answer)
      const got = await flow.post(CALL)
      assert.equal(got.status, 200)
      assertNothingTold(got, flow)
    }
  })

  for (const [name, answer] of [
    ['a word', whole(202, 'Accepted', { 'content-type': 'text/plain' })],
    ['a page and 200', whole(200, PAGE)],
    ['nothing', whole(204, '')],
  ] as const) {
    test(`a notification that is answered with ${name} is accepted`, async () => {
      await using flow = await startFlow(answer)
      const got = await flow.post(INITIALIZED)
      assert.ok(got.status >= 200 && got.status < 300)
      assert.equal(got.text, '')
    })
  }
})

suite('a stream that ends before the answer', () => {
  for (const end of ['end', 'destroy'] as const) {
    test(`${end}: whoever waits is told`, async () => {
      await using flow = await startFlow(streamed(progress(1), end))
      const got = await flow.post(CALL)
      assert.ok(got.text.startsWith(progress(1)), got.text)
      assert.match(got.text, /"id":"c1","error":\{"code":-32000,"message":"The MCP server/)
    })

    test(`${end}: whoever has an event id can come back, and is told nothing`, async () => {
      await using flow = await startFlow(streamed(`id: 1\n${progress(1)}`, end))
      assert.equal((await flow.post(CALL)).text, `id: 1\n${progress(1)}`)
    })

    test(`${end}: after the answer there is no second one`, async () => {
      await using flow = await startFlow(streamed(progress(1) + result, end))
      assert.equal((await flow.post(CALL)).text, progress(1) + result)
    })
  }

  test('an answer to somebody else is not the answer', async () => {
    await using flow = await startFlow(streamed(result.replace('c1', 'c2'), 'end'))
    assert.match((await flow.post(CALL)).text, /"id":"c1","error"/)
  })
})

suite('streams', () => {
  test('of many calls run side by side, and each gets its own', async () => {
    await using flow = await startFlow((request, response) => {
      beginEvents(response).write(progress(1))
      setImmediate(() => response.end(`data: {"jsonrpc":"2.0","id":${request.id},"result":{}}\n\n`))
      return true
    })
    const ids = Array.from({ length: 200 }, (_, id) => id)
    const answers = await Promise.all(ids.map((id) => flow.post({ ...CALL, id })))
    for (const id of ids) assert.match(answers[id]?.text ?? '', new RegExp(`"id":${id},"result"`))
  })

  test('that stay open leave room for calls', async () => {
    await using flow = await startFlow(({ method }, response) => {
      if (method === 'GET') beginEvents(response)
      return method === 'GET'
    })
    const open = await Promise.all(Array.from({ length: 200 }, () => openEvents(flow.protecting.endpoint, flow)))
    const calls = await Promise.all(Array.from({ length: 20 }, () => flow.post(CALL)))
    assert.ok(calls.every(({ status }) => status === 200))
    for (const stream of open) stream.close()
    await Promise.all(flow.server.seen.filter(({ method }) => method === 'GET').map(({ closed }) => closed))
  })

  test('are so many for one caller at most, and another still gets in', async () => {
    await using flow = await startFlow(({ method }, response) => {
      if (method === 'GET') beginEvents(response)
      return method === 'GET'
    })
    const { endpoint, callers } = flow.protecting
    await using open = new AsyncDisposableStack()
    const streams = await Promise.all(Array.from({ length: 1001 }, () => openEvents(endpoint, flow)))
    for (const stream of streams) open.use(stream)
    assert.deepEqual([...new Set(streams.map(({ status }) => status))].sort(), [200, 503])
    assert.equal(streams.filter(({ status }) => status === 503).length, 1)
    assert.equal((await flow.post(CALL)).status, 503)
    const headers = { ...ACCEPT, authorization: `Bearer ${await callers.token({ sub: 'another' })}` }
    assert.equal((await send('POST', endpoint, { body: CALL, headers })).status, 200)
  })
})

suite('the client goes away', () => {
  for (const begins of [false, true]) {
    test(`${begins ? 'in the middle of' : 'before'} the answer: the server is told`, async () => {
      await using flow = await startFlow((_request, response) => {
        if (begins) beginEvents(response).write(progress(1))
        return true
      })
      const leaving = new AbortController()
      const response = fetch(flow.protecting.endpoint, {
        ...{ method: 'POST', body: JSON.stringify(CALL), signal: leaving.signal },
        headers: { ...ACCEPT, ...flow.headers, 'content-type': 'application/json' },
      })
      const failed = assert.rejects(response.then(({ text }) => text()).then(() => response.then((one) => one.text())))
      const { closed } = await flow.server.sees(({ rpcMethod }) => rpcMethod === 'tools/call')
      leaving.abort()
      await closed
      await failed
    })
  }
})

suite('a stop', () => {
  test('ends streams that listen at once, whatever the server does with their end', async () => {
    // It never answers a DELETE.
    const flow = await startFlow(({ method }, response) => {
      if (method === 'GET') beginEvents(response)
      return method !== 'POST'
    })
    const { protecting, headers } = flow
    const streams = await Promise.all(Array.from({ length: 20 }, () => openEvents(protecting.endpoint, { headers })))
    const sse = await openEvents(protecting.endpoint.replace(/mcp$/, 'sse'), { headers })
    const url = new URL((await sse.next())?.data ?? '', protecting.endpoint).href
    await send('POST', url, { body: { ...CALL, method: 'initialize' }, headers: { ...ACCEPT, ...headers } })
    await sse.nextJson()
    const startedAt = performance.now()
    await protecting.running.stop()
    assert.ok(performance.now() - startedAt < 5_000, `${performance.now() - startedAt} ms`)
    for (const stream of streams) assert.equal(await stream.next(), undefined)
    await flow[Symbol.asyncDispose]()
  })

  test('lets an answer under way come to its end', async () => {
    const answering = Promise.withResolvers<() => void>()
    const flow = await startFlow((request, response) => {
      beginEvents(response).write(progress(1))
      answering.resolve(() => response.end(`data: {"jsonrpc":"2.0","id":${request.id},"result":{}}\n\n`))
      return true
    })
    await using stream = await openEvents(flow.protecting.endpoint, {
      ...{ method: 'POST', body: CALL, headers: { ...ACCEPT, ...flow.headers } },
    })
    await stream.nextJson()
    const finish = await answering.promise
    const stopped = flow.protecting.running.stop()
    finish()
    assert.match(JSON.stringify(await stream.nextJson()), /"result"/)
    await stopped
    await flow[Symbol.asyncDispose]()
  })

  test('takes no new call', async () => {
    const flow = await startFlow((request, response) => {
      sendResult(response, request, {})
      return true
    })
    await flow.protecting.running.stop()
    await assert.rejects(flow.post(CALL))
    await flow[Symbol.asyncDispose]()
  })
})

function assertNothingTold(got: Awaited<ReturnType<typeof send>>, { protecting }: Flow): void {
  const everything = [got.text, JSON.stringify([...got.headers]), ...protecting.log].join('\n')
  assert.ok(!everything.includes(CANARY), everything)
  for (const name of ['www-authenticate', 'set-cookie', 'location']) assert.equal(got.headers.get(name), null)
  assert.match(got.headers.get('content-type') ?? '', /^(application\/json|text\/event-stream)$/)
}
