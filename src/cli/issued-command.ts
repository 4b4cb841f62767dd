import { Command } from 'commander'
import * as z from 'zod'
import { issuedAnswer, newlyIssuedAnswer } from '../api/issued-bodies.ts'
import type { AdminClient } from './admin-client.ts'
import { confirm } from './ask.ts'
import { addConnectionOptions, clientFrom } from './config-options.ts'
import { print, printJson, printLine, table } from './terminal.ts'
import { collect, listOf } from './workspace-flags.ts'

type Flags = Readonly<Record<string, unknown>>
type Issued = z.output<typeof issuedAnswer>

/** What the commands for tokens and for keys differ in. */
export interface IssuedNoun {
  /** As in `/api/tokens`. */
  readonly path: string
  /** As in `token`. */
  readonly noun: string
}

/** A command that talks to the gateway and can print JSON. */
export function issuedBase(name: string, description: string): Command {
  return addConnectionOptions(new Command(name).description(description)).option('--json', 'print JSON')
}

/** The flags that tokens and keys have in common. */
export function withIssueFlags(command: Command): Command {
  return command
    .option('--subject <name>', 'who calls with it; default: itself, by its id')
    .option('--scopes <list>', 'scopes, with commas')
    .option('--workspace <workspace>', 'one that it opens: slug or id. May be repeated', collect, [])
}

/** What those flags say, as `/api` takes it. */
export function issueBody(flags: Flags): Record<string, unknown> {
  return {
    expires: flags['expires'],
    subject: flags['subject'],
    scopes: listOf(flags['scopes']),
    workspaces: flags['workspace'],
  }
}

/** Issues one and prints its value: the only time that it can be seen. */
export async function issue({ path, noun }: IssuedNoun, flags: Flags, body: unknown): Promise<void> {
  await using client = clientFrom(flags)
  const made = await client.call('POST', path, newlyIssuedAnswer, body)
  if (flags['json'] === true) return printJson(made)
  printIssued(made)
  print(`\nThe ${noun} itself is shown once, now:\n\n`)
  printLine(made.value)
}

/** `list`, `show`, `associate`, `dissociate` and `revoke`: the same for tokens and keys. */
export function issuedCommands(kind: IssuedNoun): readonly Command[] {
  return [listCommand(kind), showCommand(kind), associateCommand(kind), dissociateCommand(kind), revokeCommand(kind)]
}

function listCommand({ path, noun }: IssuedNoun): Command {
  return issuedBase('list', `List the ${noun}s, newest first`)
    .option('--workspace <workspace>', 'only those that open this one: slug or id')
    .action(async (flags: Flags) => {
      await using client = clientFrom(flags)
      const query =
        typeof flags['workspace'] === 'string' ? `?${new URLSearchParams({ workspace: flags['workspace'] })}` : ''
      const all = await client.call('GET', path + query, z.array(issuedAnswer))
      if (flags['json'] === true) return printJson(all)
      if (all.length === 0) return print(`No ${noun}s.\n`)
      const rows = all.map((one) => [
        one.id,
        statusOf(one),
        one.preview,
        opens(one),
        shortTime(one.lastUsedAt),
        one.description,
      ])
      print(table([['ID', 'STATUS', 'VALUE', 'OPENS', 'LAST USED', 'DESCRIPTION'], ...rows]))
    })
}

function showCommand({ path, noun }: IssuedNoun): Command {
  return issuedBase('show', `Show a ${noun} and how it is used`)
    .argument('<id>', 'its id')
    .action((id: string, flags: Flags) =>
      printAnswer(flags, (client) => client.call('GET', pathOf(path, id), issuedAnswer)),
    )
}

function associateCommand({ path, noun }: IssuedNoun): Command {
  return issuedBase('associate', `Let a ${noun} open a workspace, which then lets nobody in without a credential`)
    .argument('<id>', `the ${noun}’s id`)
    .argument('<workspace>', 'slug or id')
    .option('--default', 'it becomes the default of the workspace')
    .action((id: string, workspace: string, flags: Flags) => {
      const body = { workspace, isDefault: flags['default'] === true }
      return printAnswer(flags, (client) => client.call('POST', `${pathOf(path, id)}/workspaces`, issuedAnswer, body))
    })
}

function dissociateCommand({ path, noun }: IssuedNoun): Command {
  return issuedBase('dissociate', `Let a ${noun} no longer open a workspace, which goes on asking for a credential`)
    .argument('<id>', `the ${noun}’s id`)
    .argument('<workspace>', 'slug or id')
    .action((id: string, workspace: string, flags: Flags) => {
      const one = `${pathOf(path, id)}/workspaces/${encodeURIComponent(workspace)}`
      return printAnswer(flags, (client) => client.call('DELETE', one, issuedAnswer))
    })
}

function revokeCommand({ path, noun }: IssuedNoun): Command {
  return issuedBase('revoke', `Revoke a ${noun}: the next call with it is refused, for good`)
    .argument('<id>', 'its id')
    .option('--yes', 'do not ask')
    .action(async (id: string, flags: Flags) => {
      if (flags['yes'] !== true) await confirm(`Revoke the ${noun} ${id}? Whatever uses it stops working.`)
      await printAnswer(flags, (client) => client.call('POST', `${pathOf(path, id)}/revoke`, issuedAnswer))
    })
}

async function printAnswer(flags: Flags, ask: (client: AdminClient) => Promise<Issued>): Promise<void> {
  await using client = clientFrom(flags)
  const issued = await ask(client)
  if (flags['json'] === true) return printJson(issued)
  printIssued(issued)
}

function printIssued(issued: Issued): void {
  print(
    table([
      ['id', issued.id],
      ['description', issued.description],
      ['status', statusOf(issued)],
      ['value', issued.preview],
      ['subject', issued.subject],
      ['scopes', issued.scopes.join(', ') || '-'],
      ['opens', opens(issued)],
      ['created', shortTime(issued.createdAt)],
      ['expires', issued.expiresAt === null ? 'never' : shortTime(issued.expiresAt)],
      ['last used', shortTime(issued.lastUsedAt)],
    ]),
  )
  const { usage } = issued
  if (usage === null) return
  print('\nTry it:\n\n')
  for (const line of usage.curl.split('\n')) printLine(`  ${line}`)
  print('\nFor a client:\n\n')
  printJson(usage.client)
}

function statusOf({ status, reason }: Issued): string {
  return reason === null ? status : `${status} (${reason})`
}

function opens({ workspaces }: Issued): string {
  return workspaces.map(({ slug, isDefault }) => (isDefault ? `${slug} (default)` : slug)).join(', ') || '-'
}

function shortTime(time: string | null): string {
  return time === null ? '-' : time.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')
}

function pathOf(path: string, id: string): string {
  return `${path}/${encodeURIComponent(id)}`
}
