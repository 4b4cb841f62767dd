import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { Folder, PROGRAM } from './gatehouse-process.ts'

suite('when nobody reads', () => {
  test('the standard error of a gateway any more, it goes on', async () => {
    await using folder = await Folder.make()
    await using gateway = await folder.start()
    gateway.closeErrors()
    // It would stand there, for whoever sits at its terminal.
    const asked = await folder.run(['person', 'first-run', '--gateway', gateway.url])
    assert.equal(asked.code, 0, asked.stderr)
    const listed = await folder.run(['workspace', 'list', '--gateway', gateway.url])
    assert.deepEqual([listed.code, listed.stdout], [0, 'No workspaces.\n'])
    assert.equal((await gateway.stop()).code, 0)
  })

  test('the standard output of a command any more, it ends well', async () => {
    await using folder = await Folder.make()
    await using command = folder.spawn(['--help'])
    command.closeOutput()
    const { code, stderr } = await command.ended
    assert.deepEqual([code, stderr], [0, ''])
  })

  const onLinux = { skip: existsSync('/dev/full') ? false : 'there is no /dev/full here' }
  test('and the disk under the standard output is full, a command says so and ends with 1', onLinux, async () => {
    await using folder = await Folder.make()
    await folder.write('good.yaml', 'port: 0\n')
    const child = spawn(process.execPath, [PROGRAM, 'config', 'check', 'good.yaml'], {
      cwd: folder.path,
      env: { HOME: folder.path },
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    })
    const [said, [code]] = await Promise.all([text(child.stderr ?? Readable.from([])), once(child, 'exit')])
    assert.deepEqual([code, said], [1, 'The output cannot be written (ENOSPC).\n'])
  })
})
