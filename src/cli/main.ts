import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { GatewayError } from '../errors.ts'
import { printError } from './terminal.ts'

/** In the order of the help. Only the one that is asked for is loaded: all of them take longer than most of them run. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['demo', () => import('./demo-command.ts').then(({ demoCommand }) => demoCommand())],
  ['start', () => import('./start-command.ts').then(({ startCommand }) => startCommand())],
  ['protect', () => import('./protect-command.ts').then(({ protectCommand }) => protectCommand())],
  ['workspace', () => import('./workspace-command.ts').then(({ workspaceCommand }) => workspaceCommand())],
  ['token', () => import('./token-command.ts').then(({ tokenCommand }) => tokenCommand())],
  ['key', () => import('./key-command.ts').then(({ keyCommand }) => keyCommand())],
  ['keys', () => import('./key-command.ts').then(({ signingKeysCommand }) => signingKeysCommand())],
  ['person', () => import('./person-command.ts').then(({ personCommand }) => personCommand())],
  ['account', () => import('./account-command.ts').then(({ accountCommand }) => accountCommand())],
  ['logs', () => import('./logs-command.ts').then(({ logsCommand }) => logsCommand())],
  ['audit', () => import('./audit-command.ts').then(({ auditCommand }) => auditCommand())],
  ['doctor', () => import('./doctor-command.ts').then(({ doctorCommand }) => doctorCommand())],
  ['config', () => import('./config-command.ts').then(({ configCommand }) => configCommand())],
  ['test-api', () => import('./test-api-command.ts').then(({ testApiCommand }) => testApiCommand())],
])

/** The `gatehouse` command. Sets the exit code: 0 done, 1 not. A failure is told in words, on standard error. */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endWithoutOutput)
  // Whoever has read it is gone (`gatehouse start 2>&1 | head`): there is nobody left to tell, and that ends no gateway.
  process.stderr.on('error', () => {})
  const program = new Command('gatehouse')
    .description('Puts any HTTP API or MCP server behind one authenticated MCP endpoint.')
    .version(manifest.version, '--version', 'print the version')
    .showHelpAfterError('Add --help to see what there is.')
  for (const load of commandsFor(args)) program.addCommand(await load())
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    // A cause that is a text is a reason of ours or of SQLite, for the operator: and that is who sits here.
    printError(typeof error.cause === 'string' ? `${error.message} (${error.cause})` : error.message)
    process.exitCode = 1
  }
}

function commandsFor([name = '']: readonly string[]): Iterable<() => Promise<Command>> {
  const asked = COMMANDS.get(name)
  return asked === undefined ? COMMANDS.values() : [asked]
}

/** Whoever read us has seen enough (`gatehouse logs | head`): that is an end, not a failure. A full disk is one. */
function endWithoutOutput({ code }: NodeJS.ErrnoException): never {
  if (code === 'EPIPE') process.exit()
  printError(`The output cannot be written (${code}).`)
  process.exit(1)
}
