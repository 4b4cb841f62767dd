import { createInterface } from 'node:readline'
import { assembleGateway, type StoredGateway } from '../app/assemble.ts'
import { type Config, isPublic } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { StdioExchange } from '../http/stdio-exchange.ts'
import { startServer } from '../server.ts'
import { workspacePath } from '../workspaces/workspace.ts'
import { printNotice, untilStopped } from './terminal.ts'

/** Runs the gateway over HTTP until somebody stops it. */
export async function serveHttp(config: Config): Promise<void> {
  // Before anything is said: whoever reads that we listen may ask us to stop at once.
  const stopped = untilStopped()
  const { url, gateway, stop } = await startServer(config)
  gateway.log.info(`Listening on ${url}`)
  const behind = [...gateway.publicUrls.forwarded].filter((origin) => origin.startsWith('https:'))
  if (behind.length > 0) gateway.log.info(`Through a trusted proxy also ${behind.join(', ')}`)
  if (config.auth === undefined && !isPublic(config)) {
    gateway.log.warn(
      'No auth is configured: every program on this machine may call workspaces that set none. Other machines cannot.',
    )
  }
  const workspaces = gateway.manager.list()
  for (const workspace of workspaces)
    gateway.log.info(`${workspace.slug}: ${gateway.publicUrls.own}${workspacePath(workspace)}`)
  if (workspaces.length === 0) {
    gateway.log.info(
      'No workspace yet. Make one: gatehouse workspace create --name my-api --spec https://…/openapi.json',
    )
  }
  // Beside the log, which may be kept for long and read by many: the code is for whoever sits here (THREATS.md, T32).
  await gateway.firstRun.announce((code) => {
    printNotice(`Nobody has an account here yet. Make yourself the owner, within an hour, with this code: ${code}`)
    printNotice(`  gatehouse person first-run --code ${code} --email YOU@EXAMPLE.COM --name 'YOUR NAME'`)
  })
  await stopped
  await stop()
}

/**
 * Serves one workspace over stdio until its input ends: one message a line on standard input, one answer a line on standard
 * output; logs go to standard error. `wanted` is a slug or an id; anything else means the only workspace there is.
 */
export async function serveStdio(config: Config, wanted: unknown): Promise<void> {
  const gateway = await assembleGateway(config, { logTo: process.stderr })
  try {
    await answerLines(gateway, stdioPath(gateway, wanted))
  } finally {
    await gateway.close()
  }
}

async function answerLines(gateway: StoredGateway, path: string): Promise<void> {
  const running = new Set<Promise<void>>()
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
  void untilStopped().then(() => lines.close())
  // The client has gone. `main` would end at once, with what it has asked for unrecorded.
  process.stdout.removeAllListeners('error').on('error', () => lines.close())
  for await (const line of lines) {
    if (line.trim() === '') continue
    const exchange = new StdioExchange(line, { path, now: Date.now, write: (text) => process.stdout.write(text) })
    const call = Promise.resolve(gateway.app(exchange)).finally(() => running.delete(call))
    running.add(call)
  }
  gateway.endStreams()
  await Promise.all(running)
}

function stdioPath(gateway: StoredGateway, wanted: unknown): string {
  if (typeof wanted === 'string') return workspacePath(gateway.manager.get(wanted))
  const [only, second] = gateway.manager.list()
  if (only !== undefined && second === undefined) return workspacePath(only)
  const slugs = gateway.manager.list().map(({ slug }) => slug)
  throw new GatewayError(
    'config_invalid',
    slugs.length === 0
      ? 'There is no workspace to serve over stdio. Name one in gatehouse.yaml, or make one with: gatehouse workspace create'
      : `Say which workspace to serve: --stdio ${slugs.slice(0, 10).join(' or --stdio ')}.`,
  )
}
