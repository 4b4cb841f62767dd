import assert from 'node:assert/strict'
import { createInterface } from 'node:readline/promises'
import { PassThrough } from 'node:stream'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { answerTo } from './ask.ts'

/** What becomes of a question when somebody presses these keys. */
async function answered(keys: string): Promise<string> {
  const input = new PassThrough()
  const terminal = createInterface({ input, output: new PassThrough(), terminal: true })
  try {
    const answer = answerTo('Really? ', terminal)
    input.write(keys)
    return await answer
  } finally {
    terminal.close()
  }
}

suite('answerTo', () => {
  test('gives the line that is typed', async () => {
    assert.equal(await answered('yes\r'), 'yes')
  })

  for (const [name, keys] of Object.entries({ 'Ctrl-C': '\u0003', 'Ctrl-D': '\u0004' })) {
    test(`takes ${name} for a no, which is no defect of ours`, async () => {
      await assert.rejects(answered(keys), (error) => {
        assert.ok(error instanceof GatewayError)
        assert.equal(error.message, 'Nothing was done.')
        return true
      })
    })
  }
})
