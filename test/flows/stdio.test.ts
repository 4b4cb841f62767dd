import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { Folder } from './gatehouse-process.ts'
import { at, readAdminKey } from './http.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/gatehouse.js')

suite('gatehouse start --stdio (A34)', () => {
  for (const mode of ['auto', 'legacy'] as const) {
    test(`serves the official client (${mode}) without a token, although callers over HTTP need one`, async () => {
      await using api = await startTestApi({ mode: 'jwt' })
      await using folder = await Folder.make()
      await folder.write(
        'gatehouse.yaml',
        JSON.stringify({
          // Nobody listens there: over stdio no key is needed.
          auth: { authType: 'jwt', jwt: { jwksUrl: 'http://127.0.0.1:9/jwks', audience: 'gatehouse' } },
          workspaces: [
            {
              name: 'Shop',
              source: `${api.origin}/openapi.json`,
              upstream: { auth: { type: 'bearer' } },
              params: { login_url: `${api.origin}/auth/login`, username: 'admin', password: 'password' },
            },
          ],
        }),
      )
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [PROGRAM, 'start', '--stdio'],
        cwd: folder.path,
        env: { HOME: folder.path, XDG_CONFIG_HOME: folder.file('config') },
        stderr: 'pipe',
      })
      let log = ''
      transport.stderr?.on('data', (chunk: Buffer) => {
        log += chunk.toString('utf8')
      })
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
      const errors: Error[] = []
      client.onerror = (error) => errors.push(error)
      await client.connect(transport)
      try {
        const { tools } = await client.listTools()
        assert.deepEqual(tools.map(({ name }) => name).sort(), ['getStats', 'listItems', 'listUsers'])
        const result = await client.callTool({ name: 'getStats', arguments: {} })
        assert.match(String(at(result, 'content', 0, 'text')), /"requestedBy":"admin"/)
      } finally {
        await client.close()
      }
      // Only messages stand on standard output; the log goes to standard error.
      assert.deepEqual(errors, [])
      assert.match(log, /call +getStats +ok.* local /)
      assert.ok((await readAdminKey(folder.file('config/gatehouse'))).length > 20)
    })
  }

  test('asks which workspace is meant when there are several, and ends with 1', async () => {
    await using folder = await Folder.make()
    await folder.write('gatehouse.yaml', 'workspaces: [{ name: One }, { name: Two }]')
    const { code, stdout, stderr } = await folder.run(['start', '--stdio'])
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /Say which workspace to serve: --stdio one or --stdio two\.\n$/)
  })

  test('records what was asked of it also when the client is gone before the answer', async () => {
    await using folder = await Folder.make()
    await folder.write('gatehouse.yaml', 'workspaces: [{ name: One }]')
    await using gateway = folder.spawn(['start', '--stdio'])
    gateway.closeOutput()
    const asked = ['a', 'b', 'c'].map((id) => JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/list' }))
    gateway.endInput(`${asked.join('\n')}\n`)
    const { code, stderr } = await gateway.ended
    assert.equal(code, 0, stderr)
    const database = new DatabaseSync(folder.file('data/gatehouse.db'))
    const kept = database.prepare('select method from records').all()
    database.close()
    assert.deepEqual(
      kept,
      asked.map(() => ({ __proto__: null, method: 'tools/list' })),
    )
  })

  test('ends with 0 when its input ends', async () => {
    await using folder = await Folder.make()
    await folder.write('gatehouse.yaml', 'workspaces: [{ name: One }]')
    await using gateway = folder.spawn(['start', '--stdio', 'one'])
    gateway.endInput(`${JSON.stringify({ jsonrpc: '2.0', id: 'a', method: 'ping' })}\n`)
    const { code, stdout } = await gateway.ended
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '{"jsonrpc":"2.0","id":"a","result":{}}\n' })
  })
})
