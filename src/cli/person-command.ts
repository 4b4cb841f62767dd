import { Command, Option } from 'commander'
import * as z from 'zod'
import { ROLES } from '../accounts/person.ts'
import { emailAnswer, newInvitationAnswer, personAnswer } from '../api/people-bodies.ts'
import { GatewayError } from '../errors.ts'
import type { AdminClient } from './admin-client.ts'
import { askSecret, confirm } from './ask.ts'
import { clientFrom, secretValue } from './config-options.ts'
import { issuedBase } from './issued-command.ts'
import { print, printJson, printLine, table } from './terminal.ts'

type Flags = Readonly<Record<string, unknown>>
type Person = z.output<typeof personAnswer>
type Invitation = z.output<typeof newInvitationAnswer>

/** What a call answers that has nothing to say. */
export const NO_ANSWER = z.undefined()

/** `gatehouse person …`: who may sign in at the running gateway, and as what. */
export function personCommand(): Command {
  return new Command('person')
    .description('The people of an account: invite, list, change and remove them')
    .addCommand(firstRunCommand())
    .addCommand(createCommand())
    .addCommand(inviteCommand())
    .addCommand(listCommand())
    .addCommand(roleCommand())
    .addCommand(switchCommand('disable', 'Let a person into this account no more, from the next call', true))
    .addCommand(switchCommand('enable', 'Let a person into this account again', false))
    .addCommand(removeCommand())
    .addCommand(resetCommand())
}

function firstRunCommand(): Command {
  return issuedBase(
    'first-run',
    'Make the first owner, with the one-time code that the gateway has shown on its terminal',
  )
    .option('--code <code>', 'the code; without one the gateway shows a new one on its terminal')
    .option('--email <email>', 'who it is')
    .option('--name <name>', 'what people are called here; default: the e-mail')
    .option('--password <password>', '@file; default: asked for')
    .action(async (flags: Flags) => {
      await using client = clientFrom(flags)
      const { code, email, name = email } = flags
      if (code === undefined) {
        await client.call('POST', '/api/first-run/code', NO_ANSWER)
        return printLine('The gateway has shown a new code on its terminal: give it with --code.')
      }
      if (email === undefined) throw new GatewayError('invalid_request', 'Say who it is: --email.')
      const body = { code, email, name, password: await passwordFrom(flags) }
      const made = await client.call('POST', '/api/first-run', emailAnswer, body)
      if (flags['json'] === true) return printJson(made)
      printLine(`${made.email} is the owner of the default account.`)
    })
}

function createCommand(): Command {
  return withRole(issuedBase('create', 'Make a person with a password, without an invitation'), 'viewer')
    .requiredOption('--email <email>', 'how they sign in')
    .option('--name <name>', 'what people are called here; default: the e-mail')
    .option('--password <password>', '@file; default: asked for')
    .action(async (flags: Flags) => {
      await using client = clientFrom(flags)
      const { email, name = email, role } = flags
      const body = { email, name, role, password: await passwordFrom(flags) }
      showPerson(await client.call('POST', '/api/people', personAnswer, body), flags)
    })
}

function inviteCommand(): Command {
  return withRole(issuedBase('invite', 'Issue a one-time code with which somebody becomes a member'), 'developer')
    .argument('<email>', 'to whom')
    .action(async (email: string, flags: Flags) => {
      await using client = clientFrom(flags)
      const body = { email, role: flags['role'] }
      showInvitation(await client.call('POST', '/api/invitations', newInvitationAnswer, body), flags)
    })
}

function listCommand(): Command {
  return issuedBase('list', 'List the people of the account').action(async (flags: Flags) => {
    await using client = clientFrom(flags)
    const all = await peopleOf(client)
    if (flags['json'] === true) return printJson(all)
    if (all.length === 0) return print('Nobody yet.\n')
    const rows = all.map(({ id, email, role, disabled, name }) => [
      id,
      email,
      disabled ? `${role}, disabled` : role,
      name,
    ])
    print(table([['ID', 'E-MAIL', 'ROLE', 'NAME'], ...rows]))
  })
}

function roleCommand(): Command {
  return withPerson(issuedBase('role', 'Give a person another role in this account'))
    .argument('<role>', ROLES.join(', '))
    .action((person: string, role: string, flags: Flags) => change(person, { role }, flags))
}

function switchCommand(name: string, description: string, disabled: boolean): Command {
  return withPerson(issuedBase(name, description)).action((person: string, flags: Flags) =>
    change(person, { disabled }, flags),
  )
}

function removeCommand(): Command {
  return withPerson(issuedBase('remove', 'Remove a person from this account, from the next call'))
    .option('--yes', 'do not ask')
    .action(async (person: string, flags: Flags) => {
      if (flags['yes'] !== true) await confirm(`Remove ${person} from the account?`)
      await using client = clientFrom(flags)
      await client.call('DELETE', await pathOf(client, person), NO_ANSWER)
      if (flags['json'] === true) return printJson({ removed: person })
      printLine(`Removed ${person}.`)
    })
}

function resetCommand(): Command {
  return withPerson(
    issuedBase('reset-password', 'Issue a one-time code with which a person sets a new password'),
  ).action(async (person: string, flags: Flags) => {
    await using client = clientFrom(flags)
    const path = `${await pathOf(client, person)}/password-reset`
    showInvitation(await client.call('POST', path, newInvitationAnswer), flags)
  })
}

function withRole(command: Command, role: (typeof ROLES)[number]): Command {
  return command.addOption(new Option('--role <role>', 'in this account').choices(ROLES).default(role))
}

function withPerson(command: Command): Command {
  return command.argument('<person>', 'e-mail or id')
}

async function change(person: string, body: unknown, flags: Flags): Promise<void> {
  await using client = clientFrom(flags)
  showPerson(await client.call('PATCH', await pathOf(client, person), personAnswer, body), flags)
}

function peopleOf(client: AdminClient): Promise<readonly Person[]> {
  return client.call('GET', '/api/people', personAnswer.array())
}

async function pathOf(client: AdminClient, person: string): Promise<string> {
  const email = person.trim().toLowerCase()
  const found = (await peopleOf(client)).find((one) => one.id === person || one.email === email)
  if (found === undefined) throw new GatewayError('not_found', `There is no ${person} in this account.`)
  return `/api/people/${encodeURIComponent(found.id)}`
}

async function passwordFrom({ password }: Flags): Promise<string> {
  if (typeof password === 'string') return secretValue('--password', password).trimEnd()
  return askSecret('Password (12 characters or more): ', 'Nobody can be asked here: add --password @file.')
}

function showPerson(person: Person, flags: Flags): void {
  if (flags['json'] === true) printJson(person)
  else print(table(Object.entries(person).map(([name, value]) => [name, String(value)])))
}

function showInvitation(invitation: Invitation, flags: Flags): void {
  if (flags['json'] === true) {
    printJson(invitation)
    return
  }
  const { email, role, expiresAt, purpose } = invitation
  const what = purpose === 'join' ? `To become ${role}` : 'To set a new password'
  printLine(`${what}, ${email} sends this code, until ${expiresAt}, with a password to POST /api/invitations/accept.`)
  print('The code is shown once, now:\n\n')
  printLine(invitation.code)
}
