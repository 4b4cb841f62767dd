import { createInterface, type Interface } from 'node:readline/promises'
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
    const secret = await answerTo('', terminal)
    // The line end was not shown either.
    process.stderr.write('\n')
    return secret
  } finally {
    terminal.close()
  }
}

/** Anything but `y` or `yes` is a no. @throws GatewayError where nobody can be asked, and for a no. */
export async function confirm(question: string): Promise<void> {
  if (process.stdin.isTTY !== true) {
    throw new GatewayError('invalid_request', 'Nobody can be asked here: add --yes to do it without asking.')
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await answerTo(`${question} [y/N] `, terminal)
    if (!/^y(es)?$/i.test(answer.trim())) throw nothingDone()
  } finally {
    terminal.close()
  }
}

/** The line that is typed. @throws GatewayError for Ctrl-C and Ctrl-D: whoever was asked wants none of it. */
export async function answerTo(question: string, terminal: Pick<Interface, 'question'>): Promise<string> {
  try {
    return await terminal.question(question)
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error
    process.stderr.write('\n')
    throw nothingDone()
  }
}

function nothingDone(): GatewayError {
  return new GatewayError('invalid_request', 'Nothing was done.')
}
