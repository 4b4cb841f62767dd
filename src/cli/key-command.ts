import { Command } from 'commander'
import { signingKeyAnswer } from '../api/issued-bodies.ts'
import { clientFrom } from './config-options.ts'
import { type IssuedNoun, issue, issueBody, issuedBase, issuedCommands, withIssueFlags } from './issued-command.ts'
import { printJson, printLine } from './terminal.ts'

const KEY: IssuedNoun = { path: '/api/keys', noun: 'key' }

/** `gatehouse key …`: API keys that the running gateway issues. */
export function keyCommand(): Command {
  const command = new Command('key')
    .description('Issue, list and revoke API keys of the running gateway')
    .addCommand(createCommand())
  for (const one of issuedCommands(KEY)) command.addCommand(one)
  return command
}

function createCommand(): Command {
  return withIssueFlags(issuedBase('create', 'Issue an API key; its value is shown once'))
    .requiredOption('--name <name>', 'what it is called')
    .option('--expires <lifetime>', 'after how long it ends: 15m, 1h, 30d, or never', 'never')
    .option('--default', 'it becomes the default key of its workspaces')
    .action((flags: Record<string, unknown>) =>
      issue(KEY, flags, { name: flags['name'], isDefault: flags['default'], ...issueBody(flags) }),
    )
}

/** `gatehouse keys rotate`: the keys that sign tokens. */
export function signingKeysCommand(): Command {
  return new Command('keys').description('The keys that tokens are signed with').addCommand(
    issuedBase('rotate', 'Sign with a new key from now on; tokens of the old one stay good').action(
      async (flags: Record<string, unknown>) => {
        await using client = clientFrom(flags)
        const made = await client.call('POST', '/api/signing-keys/rotate', signingKeyAnswer)
        if (flags['json'] === true) return printJson(made)
        printLine(`Tokens are signed with ${made.kid} from now on. Those of older keys stay good until they end.`)
      },
    ),
  )
}
