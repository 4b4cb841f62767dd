import { Command } from 'commander'
import type { z } from 'zod'
import { accountAnswer } from '../api/people-bodies.ts'
import { confirm } from './ask.ts'
import { clientFrom } from './config-options.ts'
import { issuedBase } from './issued-command.ts'
import { NO_ANSWER } from './person-command.ts'
import { print, printJson, printLine, table } from './terminal.ts'

type Flags = Readonly<Record<string, unknown>>
type Account = z.output<typeof accountAnswer>

/** `gatehouse account …`: tenants of the running gateway, which cannot see each other. */
export function accountCommand(): Command {
  return new Command('account')
    .description('Make, list, rename and delete accounts: tenants that cannot see each other')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(renameCommand())
    .addCommand(deleteCommand())
}

function createCommand(): Command {
  return issuedBase('create', 'Make an account; then invite its owner: gatehouse person invite')
    .requiredOption('--name <name>', 'its name')
    .option('--slug <slug>', 'what commands call it; never changes. Default: made from the name')
    .action(async (flags: Flags) => {
      await using client = clientFrom(flags)
      const body = { name: flags['name'], slug: flags['slug'] }
      show(await client.call('POST', '/api/accounts', accountAnswer, body), flags)
    })
}

function listCommand(): Command {
  return issuedBase('list', 'List the accounts, oldest first').action(async (flags: Flags) => {
    await using client = clientFrom(flags)
    const all = await client.call('GET', '/api/accounts', accountAnswer.array())
    if (flags['json'] === true) return printJson(all)
    print(table([['SLUG', 'ID', 'NAME'], ...all.map(({ slug, id, name }) => [slug, id, name])]))
  })
}

function renameCommand(): Command {
  return issuedBase('rename', 'Give an account another name; its slug stays')
    .argument('<account>', 'slug or id')
    .argument('<name>', 'its new name')
    .action(async (account: string, name: string, flags: Flags) => {
      await using client = clientFrom(flags)
      show(await client.call('PATCH', pathOf(account), accountAnswer, { name }), flags)
    })
}

function deleteCommand(): Command {
  return issuedBase(
    'delete',
    'Delete an account that is empty: no workspaces, no credentials in force, one person at most',
  )
    .argument('<account>', 'slug or id')
    .option('--yes', 'do not ask')
    .action(async (account: string, flags: Flags) => {
      if (flags['yes'] !== true) await confirm(`Delete the account ${account}?`)
      await using client = clientFrom(flags)
      await client.call('DELETE', pathOf(account), NO_ANSWER)
      if (flags['json'] === true) return printJson({ deleted: account })
      printLine(`Deleted ${account}.`)
    })
}

function show(account: Account, flags: Flags): void {
  if (flags['json'] === true) printJson(account)
  else print(table(Object.entries(account)))
}

function pathOf(account: string): string {
  return `/api/accounts/${encodeURIComponent(account)}`
}
