import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { connect } from 'node:net'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { startFaultyApi } from '../../src/test-api/faulty-api.ts'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { Folder, type Started } from './gatehouse-process.ts'
import { adminOf, at, callTool, readAdminKey, rpc, textAt } from './http.ts'

const ROUNDS = 5
const WRITERS = 4
const listed = z.array(z.object({ id: z.string(), slug: z.string(), name: z.string(), url: z.string() }))

const adminOfProcess = async (folder: Folder, { url }: Started) =>
  adminOf(url, await readAdminKey(folder.file('config/gatehouse')))

/** What was acknowledged of one workspace, and what was asked for after that: it may be there or not. */
interface Kept {
  readonly id: string
  readonly acknowledged: string
  readonly asked: string
}

suite('what was acknowledged', () => {
  test(`is there after ${ROUNDS} kills at a moment nobody chose`, async () => {
    await using folder = await Folder.make()
    const kept = new Map<string, Kept>()
    for (let round = 0; round < ROUNDS; round += 1) {
      await using gateway = await folder.start()
      const admin = await adminOfProcess(folder, gateway)
      await checkKept(admin, kept)
      let acknowledged = 0
      const killAt = randomInt(2, 20)
      const write = async (writer: number) => {
        for (let count = 0; ; count += 1) {
          const slug = `r${round}-w${writer}-${Math.floor(count / 4)}`
          const before = kept.get(slug)
          const asked = `${slug} ${count}`
          const path = before === undefined ? '/api/workspaces' : `/api/workspaces/${before.id}`
          const body = before === undefined ? { name: asked, slug } : { name: asked }
          if (before !== undefined) kept.set(slug, { ...before, asked })
          const answer = await admin(before === undefined ? 'POST' : 'PATCH', path, body)
          assert.ok(answer.status < 300, answer.text)
          kept.set(slug, { id: textAt(answer.body, 'id'), acknowledged: asked, asked })
          acknowledged += 1
          if (acknowledged === killAt) void gateway.stop('SIGKILL')
        }
      }
      const writers = await Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
      for (const writer of writers) {
        // The connection breaks when the process dies, and that is the only thing that may.
        assert.ok(writer.status === 'rejected' && writer.reason instanceof TypeError, String(at(writer, 'reason')))
      }
      assert.equal((await gateway.ended).signal, 'SIGKILL')
    }
    await using gateway = await folder.start()
    await checkKept(await adminOfProcess(folder, gateway), kept)
    assert.ok(kept.size >= ROUNDS)
  })

  test('in the log is there after a polite stop, with exit code 0, and the port is free at once', async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using folder = await Folder.make()
    let requestId = ''
    let port = ''
    let path = ''
    {
      await using gateway = await folder.start()
      port = new URL(gateway.url).port
      const admin = await adminOfProcess(folder, gateway)
      const settings = { name: 'Shop', source: { url: `${api.origin}/openapi.json` } }
      const url = textAt((await admin('POST', '/api/workspaces', settings)).body, 'url')
      path = new URL(url).pathname
      const called = await callTool(url, 'getStats')
      requestId = called.requestId
      const { code, signal, stderr, stdout } = await gateway.stop('SIGTERM')
      assert.deepEqual({ code, signal }, { code: 0, signal: null })
      assert.match(
        stderr,
        /^Nobody has an account .*\n.* first-run .*\n$/,
        'the code of the first run, and no complaint',
      )
      assert.match(stdout, new RegExp(`req=${requestId}`))
    }
    await using gateway = await folder.start(['--port', port])
    assert.equal(new URL(gateway.url).port, port)
    const admin = await adminOfProcess(folder, gateway)
    const { body } = await admin('GET', `/api/logs?requestId=${requestId}`)
    assert.equal(at(body, 'lines', 0, 'tool'), 'getStats')
    assert.equal((await callTool(`${gateway.url}${path}`, 'getStats')).isError, false)
  })
})

suite('a stop', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`by ${signal} lets a running call finish and takes no new one`, async () => {
      await using api = await startFaultyApi()
      await using folder = await Folder.make()
      await using gateway = await folder.start()
      const admin = await adminOfProcess(folder, gateway)
      const source = { url: `${api.origin}/openapi.json` }
      const endpoint = textAt((await admin('POST', '/api/workspaces', { name: 'Slow', source })).body, 'url')
      const running = callTool(endpoint, 'getSlow')
      await api.arrival('/slow')
      const ended = gateway.stop(signal)
      await refusesConnections(endpoint)
      const releasedAt = performance.now()
      api.releaseSlow()
      const { text, isError } = await running
      assert.deepEqual({ text, isError }, { text: '{"late":true}', isError: false })
      assert.equal((await ended).code, 0)
      // Not by the cut-off after ten seconds, though the client would keep its connection.
      assert.ok(performance.now() - releasedAt < 8_000)
    })
  }
})

async function checkKept(admin: ReturnType<typeof adminOf>, kept: ReadonlyMap<string, Kept>): Promise<void> {
  const workspaces = listed.parse((await admin('GET', '/api/workspaces')).body)
  const bySlug = new Map(workspaces.map((workspace) => [workspace.slug, workspace]))
  for (const [slug, { id, acknowledged, asked }] of kept) {
    const found = bySlug.get(slug)
    assert.equal(found?.id, id, `${slug} is gone`)
    assert.ok(found?.name === acknowledged || found?.name === asked, `${slug} is ${found?.name}, not ${acknowledged}`)
    assert.equal((await rpc(found?.url ?? '', 'tools/list')).status, 200)
  }
}

/** Resolves once nobody listens there any more: the process hears of a signal a moment after it was sent. */
async function refusesConnections(endpoint: string): Promise<void> {
  const port = Number(new URL(endpoint).port)
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const outcome = await new Promise<string>((resolve) => {
      socket.once('connect', () => resolve('connected'))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    })
    socket.destroy()
    if (outcome === 'connected') continue
    // A connection that was still waiting to be accepted is reset.
    if (outcome !== 'ECONNRESET') return assert.equal(outcome, 'ECONNREFUSED')
  }
}
