import { logsAnswer } from '../api/contract.ts'
import type { AdminClient } from './admin-client.ts'
import { print, styled, table } from './terminal.ts'

/** One thing that happened: what the client did, what Gatehouse did, what the API saw, how long it took. */
export interface DemoStep {
  readonly chapter: string
  readonly client: string
  readonly gatehouse: string
  readonly api: string
  readonly durationMs: number
  /** Whether it went as it must. */
  readonly right: boolean
}

const WIDTHS = [34, 38, 21]

/** What the columns of the steps are. */
export function printHead(): void {
  print(
    `\n${styled('dim', `      ${columns(['what the client does', 'what Gatehouse does', 'what the API sees'])}     took`)}\n`,
  )
}

/** One line: `ok` or `NO`, then four columns. */
export function printStep({ right, client, gatehouse, api, durationMs }: DemoStep): void {
  const duration = `${durationMs.toFixed(0)} ms`.padStart(7)
  print(`  ${right ? 'ok' : styled('bold', 'NO')}  ${columns([client, gatehouse, api])}  ${styled('dim', duration)}\n`)
}

function columns(cells: readonly string[]): string {
  return cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join('  ')
}

export function printFacts(rows: readonly (readonly [string, string])[]): void {
  print(table(rows.map(([name, value]) => [`  ${name}`, value])))
}

/** What to paste into a client that starts its servers by a command (Claude Desktop and others). */
export function clientSnippet(mcpUrl: string, token: string): string {
  const snippet = {
    mcpServers: {
      'test-jwt': { command: 'npx', args: ['-y', 'mcp-remote', mcpUrl, '--header', `Authorization:Bearer ${token}`] },
    },
  }
  return `${JSON.stringify(snippet, null, 2)}\n`
}

/** The log as `/api/logs` gives it. */
export async function printLog(admin: AdminClient): Promise<void> {
  const { lines } = await admin.call('GET', '/api/logs?limit=1000', logsAnswer)
  const rows = lines.map((line) => [
    `  ${new Date(line.at).toISOString().slice(11, 23)}`,
    line.kind,
    [line['method'], line['tool']].filter((part) => typeof part === 'string').join(' '),
    line.outcome,
    String(line['status'] ?? line['upstreamStatus'] ?? ''),
    `${line.durationMs.toFixed(0)} ms`,
    line.requestId,
    typeof line['detail'] === 'string' ? line['detail'] : '',
  ])
  print(table(rows))
}
