import { Command } from 'commander'
import type { z } from 'zod'
import { auditAnswer, type auditLine, verifyAnswer } from '../api/contract.ts'
import { GatewayError } from '../errors.ts'
import { addConnectionOptions, clientFrom, configFrom } from './config-options.ts'
import { printJson, printJsonLine, printLine } from './terminal.ts'

type Flags = Record<string, unknown>
type AuditLine = z.output<typeof auditLine>
type Verified = z.output<typeof verifyAnswer>

const FILTERS = [
  ['--workspace <workspace>', 'only this one: slug or id'],
  ['--action <action>', 'only this one, as in workspace.changed'],
  ['--outcome <outcome>', 'ok, denied or failed'],
  ['--actor <actor>', 'admin_key, person, caller, config_file, system or anonymous'],
  ['--issuer <issuer>', 'who vouched for the caller'],
  ['--subject <subject>', 'the caller'],
  ['--request-id <id>', 'what one request did'],
  ['--since <time>', 'a date, or a date and time with its zone'],
] as const

/** `gatehouse audit …`: who changed what and who was refused, and whether anybody has tampered with that. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('Show and check the audit of changes and denials')
    .addCommand(listCommand())
    .addCommand(verifyCommand())
}

function listCommand(): Command {
  const command = addConnectionOptions(new Command('list').description('Show the newest lines'))
  for (const [flag, doc] of FILTERS) command.option(flag, doc)
  return command
    .option('--limit <number>', 'how many', '50')
    .option('--json', 'one JSON object a line')
    .action(async (flags: Flags) => {
      await using client = clientFrom(flags)
      const query = new URLSearchParams({ limit: String(flags['limit']) })
      for (const name of ['workspace', 'action', 'outcome', 'actor', 'issuer', 'subject', 'requestId', 'since']) {
        if (typeof flags[name] === 'string') query.set(name, flags[name])
      }
      const { lines } = await client.call('GET', `/api/audit?${query}`, auditAnswer)
      for (const line of lines) {
        if (flags['json'] === true) printJsonLine(line)
        else printLine(lineText(line))
      }
    })
}

function verifyCommand(): Command {
  return addConnectionOptions(
    new Command('verify').description(
      'Check that no line was changed, removed, added or moved; exit code 1 if one was',
    ),
  )
    .option('--offline', 'read the data folder itself, while no gateway runs')
    .option('--data-dir <folder>', 'the folder, with --offline')
    .option('--known <seq:hash>', 'a head noted earlier, which the audit must still hold')
    .option('--json', 'print JSON')
    .action(async (flags: Flags) => {
      const known = knownFrom(flags['known'])
      const found = flags['offline'] === true ? await verifiedOffline(flags) : await verifiedOnline(flags, known)
      if (flags['json'] === true) printJson(found)
      else for (const line of verdict(found)) printLine(line)
      if (!found.ok) process.exitCode = 1
    })
}

async function verifiedOnline(flags: Flags, known: { seq: number; hash: string } | undefined): Promise<Verified> {
  await using client = clientFrom(flags)
  const found = await client.call('GET', '/api/audit/verify', verifyAnswer)
  if (known === undefined || known.seq <= found.anchor.seq) return found
  const { lines } = await client.call('GET', `/api/audit?after=${known.seq - 1}&limit=1`, auditAnswer)
  const [line] = lines
  if (line?.seq === known.seq && line.hash === known.hash) return found
  // A whole older copy is in order by itself: only what was noted elsewhere shows it.
  return { ...found, ok: false, problems: [...found.problems, { seq: known.seq, problem: 'missing' }] }
}

async function verifiedOffline(flags: Flags): Promise<Verified> {
  if (flags['known'] !== undefined) throw new GatewayError('config_invalid', '--known needs a running gateway.')
  const { offline: _offline, known: _known, json: _json, gateway: _gateway, account: _account, ...options } = flags
  const { verifyOffline } = await import('../app/verify-offline.ts')
  const { problems, ...rest } = await verifyOffline(configFrom(options))
  return { ...rest, problems: [...problems] }
}

function knownFrom(given: unknown): { seq: number; hash: string } | undefined {
  if (given === undefined) return undefined
  const match = /^(\d+):([\w-]{43})$/.exec(String(given))
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new GatewayError('config_invalid', '--known takes the head that an earlier verify has printed, as in 12:Fv3…')
  }
  return { seq: Number(match[1]), hash: match[2] }
}

const WORDS: Readonly<Record<Verified['problems'][number]['problem'], string>> = {
  changed: 'is not as it was written',
  missing: 'is missing',
  misplaced: 'does not follow the line before it',
  added: 'was put there by somebody else',
  chain: 'the ends of the chain are not as they were written',
}

function verdict({ ok, lines, anchor, head, problems }: Verified): string[] {
  const expired = anchor.seq === 0 ? '' : `, ${anchor.seq} before them have expired`
  const summary = `${lines} lines${expired}. Head ${head.seq}:${head.hash}`
  if (ok) return [`The audit is whole: ${summary}`]
  return [
    `The audit was tampered with: ${summary}`,
    ...problems.map(({ seq, problem, through }) => {
      if (problem === 'chain') return WORDS.chain
      const last = through === undefined || through === seq ? '' : ` to ${through}`
      return `line ${seq}${last} ${WORDS[problem]}`
    }),
  ]
}

function lineText(line: AuditLine): string {
  const text = (name: string) => (typeof line[name] === 'string' ? line[name] : '')
  const time = new Date(line.at).toISOString().replace('T', ' ').slice(0, 23)
  const vouched = text('issuer') === '' ? '' : ` of ${text('issuer')}`
  const name = text('actorName') || text('subject')
  const who = `${line.actor}${name === '' ? '' : ` ${name}`}${vouched}`
  const times = line.count === 1 ? '' : ` ${line.count} times`
  const changes = Array.isArray(line.changes) ? line.changes.map(changeText).join(', ') : ''
  const rest = [text('clientAddress'), text('requestId'), text('reason'), changes].filter((part) => part !== '')
  return `${line.seq}  ${time}  ${line.action} ${line.outcome}${times}  ${who}  ${text('target') || '-'}  ${rest.join('  ')}`
}

function changeText(change: unknown): string {
  if (typeof change !== 'object' || change === null) return ''
  const { setting, from, to, added, removed }: Record<string, unknown> = { ...change }
  if (Array.isArray(added) && Array.isArray(removed)) {
    return `${setting}: ${[...added.map((name) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' ')}`
  }
  if (to === undefined) return `${setting} changed`
  return from === null ? `${setting}: ${to}` : `${setting}: ${from} → ${to}`
}
