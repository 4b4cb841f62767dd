import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { GatewayError } from '../errors.ts'
import { readKeyFile, readOrMakeKeyFile } from './key-file.ts'

function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-key-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

function refusal(pattern: RegExp) {
  return (error: unknown) =>
    error instanceof GatewayError && error.code === 'config_invalid' && pattern.test(error.message)
}

suite('a key file', () => {
  test('is made at first use with mode 600 in a folder of mode 700, and read from then on', (context) => {
    const path = join(temporaryFolder(context), 'keys', 'admin.key')
    const first = readOrMakeKeyFile(path)
    assert.equal(first.made, true)
    assert.match(first.secret, /^[A-Za-z0-9_-]{43}$/)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
    assert.deepEqual(readOrMakeKeyFile(path), { secret: first.secret, made: false })
    assert.equal(readKeyFile(path), first.secret)
    assert.equal(readFileSync(path, 'utf8'), `${first.secret}\n`)
  })

  test('is the only file that is left: no half-made one stays', (context) => {
    const folder = temporaryFolder(context)
    readOrMakeKeyFile(join(folder, 'a.key'))
    readOrMakeKeyFile(join(folder, 'a.key'))
    assert.deepEqual(readdirSync(folder), ['a.key'])
  })

  test('is made once when several processes start together, and each gets the same whole secret', async (context) => {
    const folder = temporaryFolder(context)
    const module = join(import.meta.dirname, 'key-file.ts')
    // Every child takes the same files, each at the same millisecond, so they meet again and again.
    const startAt = Date.now() + 1_000
    const script = `import { readOrMakeKeyFile } from ${JSON.stringify(module)}
      const answers = []
      for (let n = 0; n < 40; n += 1) {
        while (Date.now() < ${startAt} + n * 5);
        answers.push(readOrMakeKeyFile(${JSON.stringify(folder)} + '/' + n + '.key'))
      }
      process.stdout.write(JSON.stringify(answers))`
    const children = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]),
    )
    const answers = (await Promise.all(children)).map(({ stdout }): unknown => JSON.parse(stdout))
    for (let n = 0; n < 40; n += 1) {
      const secret = readKeyFile(join(folder, `${n}.key`))
      const seen = answers.map((list) => (Array.isArray(list) ? list[n] : undefined))
      assert.deepEqual([...new Set(seen.map((one) => one.secret))], [secret])
      assert.equal(seen.filter((one) => one.made).length, 1)
    }
  })

  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601]) {
    test(`is refused with mode ${mode.toString(8)}, with the command that mends it`, (context) => {
      const path = join(temporaryFolder(context), 'admin.key')
      writeFileSync(path, 'CANARY-secret\n')
      chmodSync(path, mode)
      assert.throws(() => readKeyFile(path), refusal(/readable by others: run chmod 600/))
      assert.throws(() => readOrMakeKeyFile(path), refusal(/^(?!.*CANARY).*chmod 600/))
    })
  }

  test('may be readable by its owner only', (context) => {
    const path = join(temporaryFolder(context), 'admin.key')
    writeFileSync(path, 'given by hand\n', { mode: 0o400 })
    assert.equal(readKeyFile(path), 'given by hand')
  })

  test('is refused when it is empty: an empty key would be no key', (context) => {
    const path = join(temporaryFolder(context), 'admin.key')
    writeFileSync(path, ' \n', { mode: 0o600 })
    assert.throws(() => readKeyFile(path), refusal(/is empty/))
    assert.throws(() => readOrMakeKeyFile(path), refusal(/is empty/))
  })

  test('that is not there or is a folder says so', (context) => {
    const folder = temporaryFolder(context)
    mkdirSync(join(folder, 'folder.key'))
    assert.throws(() => readKeyFile(join(folder, 'none.key')), refusal(/cannot be read/))
    assert.throws(() => readOrMakeKeyFile(join(folder, 'folder.key')), refusal(/cannot be read/))
    writeFileSync(join(folder, 'file'), '')
    assert.throws(() => readOrMakeKeyFile(join(folder, 'file', 'deeper', 'a.key')), refusal(/cannot be made/))
  })
})
