import { setTimeout } from 'node:timers/promises'
import { Command } from 'commander'
import type { z } from 'zod'
import { type logLine, logsAnswer } from '../api/contract.ts'
import { addConnectionOptions, clientFrom } from './config-options.ts'
import { printJsonLine, printLine, untilStopped } from './terminal.ts'

const POLL_MS = 500

/** `gatehouse logs`: requests and sign-ins in the order in which they ended. */
export function logsCommand(): Command {
  return addConnectionOptions(new Command('logs').description('Show the log of the running gateway'))
    .option('--workspace <workspace>', 'only this one: slug or id')
    .option('--limit <number>', 'how many of the newest lines', '50')
    .option('--follow', 'stay and print new lines as they come')
    .option('--json', 'one JSON object a line')
    .action(async (flags: Record<string, unknown>) => {
      await using client = clientFrom(flags)
      const read = (query: Record<string, string>) => {
        const filter: Record<string, string> =
          typeof flags['workspace'] === 'string' ? { workspace: flags['workspace'] } : {}
        return client.call('GET', `/api/logs?${new URLSearchParams({ ...filter, ...query })}`, logsAnswer)
      }
      const show = flags['json'] === true ? printJsonLine : (line: LogLine) => printLine(lineText(line))
      let { lines } = await read({ limit: String(flags['limit']) })
      for (const line of lines) show(line)
      if (flags['follow'] !== true) return
      const stopping = new AbortController()
      void untilStopped().then(() => stopping.abort())
      let last = lines.at(-1)?.seq ?? 0
      while (await waited(POLL_MS, stopping.signal)) {
        lines = (await read({ after: String(last), limit: '1000' })).lines
        for (const line of lines) show(line)
        last = lines.at(-1)?.seq ?? last
      }
    })
}

/** False as soon as somebody asks us to stop. */
function waited(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return setTimeout(milliseconds, true, { signal }).catch(() => false)
}

type LogLine = z.output<typeof logLine>

function lineText(line: LogLine): string {
  const time = new Date(line.at).toISOString().replace('T', ' ').slice(0, 23)
  const what = [line.kind, line['method'], line['tool']].filter((part) => typeof part === 'string').join(' ')
  const status = line['status'] ?? line['upstreamStatus'] ?? ''
  const who = typeof line['subject'] === 'string' ? line['subject'] : '-'
  const detail = typeof line['detail'] === 'string' ? `  ${line['detail']}` : ''
  const where = typeof line['workspace'] === 'string' ? line['workspace'] : '-'
  return `${time}  ${what}  ${line.outcome} ${status}  ${line.durationMs.toFixed(1)} ms  ${who}  ${where}  ${line.requestId}${detail}`
}
