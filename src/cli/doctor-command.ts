import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { reportAnswer } from '../api/doctor.ts'
import { diagnose } from '../doctor/diagnose.ts'
import type { Report } from '../doctor/report.ts'
import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'
import { addConnectionOptions, clientFrom } from './config-options.ts'
import { print, printJson, printLine, styled } from './terminal.ts'

type Flags = Readonly<Record<string, unknown>>

/** All probes together. */
const DEADLINE_MS = 50_000
const TOKEN_FILE_BYTES_MAX = 65_536

/** `gatehouse doctor URL`: says why a client is refused and what to change. Exit code 1 when something is wrong. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Say why a client is refused and what to change')
    .argument('[url]', 'the endpoint, as the client has it; any MCP server’s')
    .option('--token <@file>', 'file with the token that is refused; it is sent to this URL only and never printed')
    .option('--origin <origin>', 'origin of a page that is refused, as in https://app.example.com')
    .option('--workspace <workspace>', 'ask the running gateway, which knows its settings: slug or id')
    .option('--json', 'for programs')
  return addConnectionOptions(command).action(async (url: string | undefined, flags: Flags) => {
    const report = await examined(url, flags)
    if (flags['json'] === true) printJson(report)
    else printReport(report)
    if (report.verdict !== 'ok') process.exitCode = 1
  })
}

async function examined(url: string | undefined, flags: Flags): Promise<Report> {
  const token = tokenOf(flags['token'])
  const origin = typeof flags['origin'] === 'string' ? flags['origin'] : undefined
  const { workspace } = flags
  if (typeof workspace === 'string') {
    await using client = clientFrom(flags)
    return await client.call('POST', '/api/doctor', reportAnswer, { workspace, url, token, origin })
  }
  if (url === undefined) {
    throw new GatewayError('config_invalid', 'doctor takes the URL that the client uses, or --workspace.')
  }
  const egress = createEgress()
  try {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    return await diagnose({ url, token, origin }, { egress, reach: 'operator', now: Date.now, signal })
  } finally {
    await egress.close()
  }
}

/** The file as it is: what an editor added to it is a finding. A token on the command line would be seen by others. */
function tokenOf(flag: unknown): string | undefined {
  if (typeof flag !== 'string') return undefined
  if (!flag.startsWith('@')) {
    throw new GatewayError('config_invalid', '--token takes a file, so that nobody sees the token: --token @FILE')
  }
  try {
    return readFileSync(flag.slice(1), 'utf8').slice(0, TOKEN_FILE_BYTES_MAX)
  } catch (error) {
    throw new GatewayError('config_invalid', `${flag.slice(1)} cannot be read.`, { cause: error })
  }
}

/** One line a check, below it what to do; readable without colour. */
function printReport({ checks, verdict }: Report): void {
  const width = Math.max(...checks.map(({ name }) => name.length))
  for (const { name, ok, finding, cause, fix } of checks) {
    printLine(`${ok ? 'ok' : 'NO'}  ${name.padEnd(width)}  ${finding}`)
    if (cause !== null) printLine(`${' '.repeat(width + 6)}${cause}: ${fix ?? ''}`)
  }
  const sum = verdict === 'ok' ? 'Nothing is wrong that can be seen from here.' : `To mend first: ${verdict}`
  print(`\n${styled('bold', sum)}\n`)
}
