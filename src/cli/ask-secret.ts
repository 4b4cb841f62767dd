import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { GatewayError } from '../errors.ts'

/**
 * What somebody types at the terminal, without showing it.
 *
 * @throws GatewayError `invalid_request` with `otherwise`, where nobody can be asked.
 */
export async function askSecret(question: string, otherwise: string): Promise<string> {
  if (process.stdin.isTTY !== true) throw new GatewayError('invalid_request', otherwise)
  process.stderr.write(question)
  // The line is edited as usual; what would be shown of it goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  try {
    return await terminal.question('')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}
