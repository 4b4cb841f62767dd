import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { z } from 'zod'
import { GatewayError } from '../errors.ts'
import { accountCommand } from './account-command.ts'
import { auditCommand } from './audit-command.ts'
import { configCommand } from './config-command.ts'
import { demoCommand } from './demo-command.ts'
import { doctorCommand } from './doctor-command.ts'
import { keyCommand, signingKeysCommand } from './key-command.ts'
import { logsCommand } from './logs-command.ts'
import { personCommand } from './person-command.ts'
import { protectCommand } from './protect-command.ts'
import { startCommand } from './start-command.ts'
import { printError } from './terminal.ts'
import { testApiCommand } from './test-api-command.ts'
import { tokenCommand } from './token-command.ts'
import { workspaceCommand } from './workspace-command.ts'

/** The `gatehouse` command. Sets the exit code: 0 done, 1 not. A failure is told in words, on standard error. */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endOnClosedPipe)
  const program = new Command('gatehouse')
    .description('Puts any HTTP API or MCP server behind one authenticated MCP endpoint.')
    .version(version(), '--version', 'print the version')
    .showHelpAfterError('Add --help to see what there is.')
    .addCommand(demoCommand())
    .addCommand(startCommand())
    .addCommand(protectCommand())
    .addCommand(workspaceCommand())
    .addCommand(tokenCommand())
    .addCommand(keyCommand())
    .addCommand(signingKeysCommand())
    .addCommand(personCommand())
    .addCommand(accountCommand())
    .addCommand(logsCommand())
    .addCommand(auditCommand())
    .addCommand(doctorCommand())
    .addCommand(configCommand())
    .addCommand(testApiCommand())
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    printError(error.message)
    process.exitCode = 1
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version
}

/** Whoever read us has seen enough (`gatehouse logs | head`): that is an end, not a failure. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit()
}
