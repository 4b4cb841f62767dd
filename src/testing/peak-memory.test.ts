import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { peakMemoryMb } from './peak-memory.ts'

test('the peak of a program is its own, however much memory the one has that started it', async () => {
  const ballast = Buffer.alloc(300_000_000, 1)
  assert.ok(peakMemoryMb() > 300)
  const file = new URL('peak-memory.ts', import.meta.url).href
  const code = `console.log((await import(${JSON.stringify(file)})).peakMemoryMb())`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
  assert.ok(Number(stdout) > 20 && Number(stdout) < 200, stdout)
  assert.equal(ballast.length, 300_000_000)
})
