import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { Folder } from './gatehouse-process.ts'
import { callTool, rpc, send } from './http.ts'

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
/** The lines that the README shows of each step: what the client does, without times. */
const promised = readme.split('\n').flatMap((line) => /^ {2}ok {2}(\S.{32,}?) {2}/.exec(line)?.[1]?.trimEnd() ?? [])

const demoFolders = (folder: Folder) => readdirSync(folder.path).filter((name) => name.startsWith('gatehouse-demo-'))

/** Takes the port on loopback if nobody has it yet. */
async function occupy(port: number) {
  const server = createServer((_request, response) => response.end('not the demo'))
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve())
    server.listen(port, '127.0.0.1', resolve)
  })
  const close = async () => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return { [Symbol.asyncDispose]: close }
}

suite('gatehouse demo', () => {
  test('--once shows every step that the README promises, all of them right, and ends with 0', async () => {
    await using folder = await Folder.make()
    const { code, stdout, stderr } = await folder.run(['demo', '--once'])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.ok(stdout.endsWith('\nEvery step was right.\n'), stdout)
    assert.doesNotMatch(stdout, /^ {2}NO /m)
    const steps = stdout.split('\n').filter((line) => line.startsWith('  ok  '))
    assert.ok(steps.length >= 16, stdout)
    for (const step of promised) {
      assert.ok(
        steps.some((line) => line.startsWith(`  ok  ${step}`)),
        `The README shows "${step}"`,
      )
    }
    // One login for the five tools, a refresh when the token grows old, another login when it was revoked.
    assert.equal(steps.filter((line) => / {2}a login, a call /.test(line)).length, 1)
    assert.equal(steps.filter((line) => / {2}a refresh, a call /.test(line)).length, 1)
    assert.equal(steps.filter((line) => / {2}a 401, a login, a call /.test(line)).length, 1)
    for (const refusal of ['401: No authorization header provided', '401: JWT token has expired']) {
      assert.ok(steps.some((line) => line.includes(refusal)))
    }
    assert.match(stdout, /login +POST \/auth\/login +ok +200 .*\n.*request +tools\/call listItems +ok +200/)
    assert.deepEqual(demoFolders(folder), [])
  })

  test('stays up beside programs that have its ports, with a snippet that connects, until Ctrl-C', async () => {
    await using api = await occupy(3456)
    await using gateway = await occupy(8080)
    await using folder = await Folder.make()
    await using demo = folder.spawn(['demo'])
    await demo.sees(/Both stay up\. Ctrl-C stops them/)
    assert.ok(api && gateway)
    assert.match(demo.stdout, /Every step was right/)
    assert.equal(demoFolders(folder).length, 1)

    const snippet = /\n(\{\n[\s\S]*?\n\})\n/.exec(demo.stdout)?.[1] ?? ''
    const { mcpServers } = z
      .object({ mcpServers: z.record(z.string(), z.object({ command: z.string(), args: z.array(z.string()) })) })
      .parse(JSON.parse(snippet))
    const [, , url = '', flag, header = ''] = mcpServers['test-jwt']?.args ?? []
    assert.equal(flag, '--header')
    assert.doesNotMatch(url, /:8080\//)
    const token = header.replace('Authorization:Bearer ', '')
    assert.match((await callTool(url, 'getStats', { token })).text, /"requestedBy":"admin"/)
    assert.equal((await rpc(url, 'tools/list')).status, 401)

    const { code, signal, stderr } = await demo.stop('SIGINT')
    assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    assert.deepEqual(demoFolders(folder), [])
    await assert.rejects(send('GET', url))
  })

  test('leaves nothing behind when it is interrupted in the middle', async () => {
    await using folder = await Folder.make()
    await using demo = folder.spawn(['demo'])
    await demo.sees(/2\. Connect/)
    const { code, signal } = await demo.stop('SIGINT')
    assert.deepEqual({ code, signal }, { code: 130, signal: null })
    assert.deepEqual(demoFolders(folder), [])
  })
})
