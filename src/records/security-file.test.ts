import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { GatewayError } from '../errors.ts'
import type { SecurityEvent } from './security-event.ts'
import { openSecurityFile } from './security-file.ts'

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-security-file-'))
  const path = join(folder, 'security.log')
  const errors: string[] = []
  const details: unknown[] = []
  const log = {
    error(message: string, fields: unknown) {
      errors.push(message)
      details.push(fields)
    },
  }
  return {
    ...{ folder, path, errors, details },
    open: (bytesMax = 1_000_000, filesMax = 3) => openSecurityFile({ path, bytesMax, filesMax, log }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

function event(detail: string): SecurityEvent {
  return { time: '2026-01-01T00:00:00.000Z', level: 'warn', event: 'auth_failure', detail }
}

/** A program that writes more than it may, and less after that. */
const FILLS = `
  const { openSecurityFile } = await import(${JSON.stringify(new URL('./security-file.ts', import.meta.url).href)})
  const log = { error: (message, fields) => console.log(message, JSON.stringify(fields)) }
  const sink = openSecurityFile({ path: process.argv[1], bytesMax: 1e9, filesMax: 1, log })
  for (const { detail, times } of [{ detail: 'before', times: 1 }, { detail: 'x'.repeat(5000), times: 100 }, { detail: 'after', times: 1 }]) {
    for (let n = 0; n < times; n++) sink.take({ detail })
    await sink.close()
  }`

async function run(script: string, ...given: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', script, ...given], { env: {} })
  return stdout
}

const countLines = (text: string) => text.split('\n').length - 1

suite('openSecurityFile', () => {
  test('keeps every line in order and no file larger than the limit, and deletes the oldest', async () => {
    await using under = await setup()
    const sink = under.open(1000, 3)
    const size = Buffer.byteLength(`${JSON.stringify(event('line 00 äöü'))}\n`)
    const perFile = Math.floor(1000 / size)
    for (let n = 0; n < perFile * 3 + 2; n++) sink.take(event(`line ${String(n).padStart(2, '0')} äöü`))
    await sink.close()
    assert.deepEqual((await readdir(under.folder)).sort(), ['security.log', 'security.log.1', 'security.log.2'])
    const texts: string[] = []
    for (const name of ['security.log.2', 'security.log.1', 'security.log']) {
      const file = join(under.folder, name)
      assert.ok((await stat(file)).size <= 1000)
      assert.equal((await stat(file)).mode & 0o777, 0o600)
      texts.push(await readFile(file, 'utf8'))
    }
    assert.deepEqual(texts.map(countLines), [perFile, perFile, 2])
    assert.match(texts[0] ?? '', new RegExp(`^.*line ${String(perFile).padStart(2, '0')}`))
  })

  test('counts what is in the file already, takes rights away that are too wide, and follows a file that is moved', async () => {
    await using under = await setup()
    await writeFile(under.path, `${'x'.repeat(990)}\n`)
    await chmod(under.path, 0o644)
    const sink = under.open(1000)
    assert.equal((await stat(under.path)).mode & 0o777, 0o600)
    sink.take(event('one'))
    await sink.close()
    assert.equal(countLines(await readFile(under.path, 'utf8')), 1)
    await rename(under.path, join(under.folder, 'moved'))
    sink.take(event('two'))
    await sink.close()
    assert.match(await readFile(under.path, 'utf8'), /"detail":"two"/)
  })

  test('writes a line that is longer than a file, and keeps one file only where one is wanted', async () => {
    await using under = await setup()
    const sink = under.open(1000, 1)
    sink.take(event('x'.repeat(3000)))
    sink.take(event('after'))
    await sink.close()
    assert.deepEqual(await readdir(under.folder), ['security.log'])
    assert.match(await readFile(under.path, 'utf8'), /^.*after.*\n$/)
  })

  test('refuses a link in the place of the file, and leaves its target alone', async () => {
    await using under = await setup()
    const target = join(under.folder, 'target')
    await writeFile(target, 'mine', { mode: 0o644 })
    await symlink(target, under.path)
    assert.throws(() => under.open(), GatewayError)
    assert.deepEqual([await readFile(target, 'utf8'), (await stat(target)).mode & 0o777], ['mine', 0o644])
  })

  test('bounds what waits, and says how many it could not take', async () => {
    await using under = await setup()
    const sink = under.open(100_000_000)
    for (let n = 0; n < 500; n++) sink.take(event('x'.repeat(10_000)))
    await sink.close()
    const written = countLines(await readFile(under.path, 'utf8'))
    assert.ok(written > 300 && written < 400, `${written}`)
    assert.deepEqual(under.errors, ['too many security events came at once, some are lost'])
    assert.deepEqual(under.details, [{ lost: 500 - written }])
  })

  test('leaves no half line behind where the disk is full, and goes on behind the last whole one', async () => {
    await using under = await setup()
    const said = await run(
      `ulimit -f 200; exec "$0" --input-type=module -e "$1" "$2"`,
      process.execPath,
      FILLS,
      under.path,
    )
    const lines = (await readFile(under.path, 'utf8')).split('\n')
    assert.deepEqual(lines.pop(), '')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).detail),
      ['before', 'after'],
    )
    assert.match(said, /cannot be written, lines are lost \{"code":"EFBIG"\}\n.*written again \{"lost":100\}\n$/)
  })

  test('says once that it cannot write, and goes on when it can', async () => {
    await using under = await setup()
    const sink = under.open()
    await rm(under.path)
    await mkdir(under.path)
    for (const detail of ['one', 'two']) {
      sink.take(event(detail))
      await sink.close()
    }
    assert.deepEqual(under.errors, ['the security log cannot be written, lines are lost'])
    await rm(under.path, { recursive: true })
    sink.take(event('three'))
    await sink.close()
    assert.match(await readFile(under.path, 'utf8'), /three/)
    assert.equal(under.errors.length, 2)
  })
})
