import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../config.ts'
import { randomSecret } from '../crypto/random.ts'
import { GatewayError } from '../errors.ts'
import { type RunningGateway, startServer } from '../server.ts'
import { startTestApi, type TestApi } from '../test-api/test-api.ts'
import { createAdminClient } from './admin-client.ts'
import { clientSnippet, printFacts, printHead, printLog, printStep } from './demo-print.ts'
import { runStory } from './demo-story.ts'
import { print, styled, untilStopped } from './terminal.ts'

const API_PORT = 3456
const GATEWAY_PORT = 8080
/** Short, so that the story meets the end of a token's life without a long wait. */
const TOKEN_LIFETIME_SECONDS = 4

/**
 * Tells the main job with real parts on one machine and stays up until somebody stops it, or with `once` ends. Its data is
 * removed in the end, whatever happens. True when every step was right.
 */
export async function runDemo({ once }: { readonly once: boolean }): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-demo-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  // A signal in the middle of the story ends the process without the rest of this function.
  process.once('exit', remove)
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  try {
    await using api = await onFreePort(API_PORT, (port) =>
      startTestApi({ mode: 'jwt', port, ttlSeconds: TOKEN_LIFETIME_SECONDS }),
    )
    await using running = await onFreePort(GATEWAY_PORT, (port) => startServer(demoConfig(folder, port)))
    const allRight = await tell(api, running, folder)
    if (!once) {
      process.off('SIGINT', leave)
      process.off('SIGTERM', leave)
      print('\nBoth stay up. Ctrl-C stops them and removes the demo’s data.\n')
      await untilStopped()
    }
    return allRight
  } finally {
    remove()
    process.off('exit', remove)
  }
}

/** 128 and the number of SIGINT: how a shell tells that a program was interrupted. */
function leave(): void {
  process.exit(130)
}

async function tell(api: TestApi, { url }: RunningGateway, folder: string): Promise<boolean> {
  print(styled('bold', 'Gatehouse demo: an API that wants a JWT from a login becomes a protected MCP endpoint\n\n'))
  printFacts([
    ['Test API', `${api.origin}  (login with admin / password, its tokens live ${TOKEN_LIFETIME_SECONDS} s)`],
    ['Gateway', `${url}  (embedded store in a temporary folder)`],
  ])
  await using admin = createAdminClient(demoConfig(folder, 0), { url })
  let allRight = true
  const story = runStory({ api, admin, callerSecret: randomSecret(48) })
  printHead()
  let chapter = ''
  for await (const step of story.steps) {
    if (step.chapter !== chapter) print(`\n${styled('bold', step.chapter)}\n`)
    chapter = step.chapter
    printStep(step)
    allRight &&= step.right
  }
  const { mcpUrl, token } = story.connection()
  print(
    `\n${styled('bold', 'MCP URL')}\n  ${mcpUrl}\n\n${styled('bold', 'For your MCP client')} (the token is good for an hour)\n`,
  )
  print(clientSnippet(mcpUrl, token))
  print(`\n${styled('bold', 'The log')} (gatehouse logs shows the same)\n`)
  await printLog(admin)
  print(allRight ? '\nEvery step was right.\n' : '\nSome steps went wrong: see the lines with NO above.\n')
  return allRight
}

/** The demo's own gateway: nothing of the user's configuration, data or keys is touched. */
function demoConfig(folder: string, port: number) {
  return loadConfig({
    flags: { port, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys'), logLevel: 'silent' },
    env: {},
  })
}

/** The usual port, so that URLs look like the guide's; a free one when it is taken. */
async function onFreePort<Started>(port: number, start: (port: number) => Promise<Started>): Promise<Started> {
  try {
    return await start(port)
  } catch (error) {
    const { code } = error instanceof GatewayError ? { code: error.detail.cause } : { code: error }
    if (code instanceof Error && 'code' in code && code.code === 'EADDRINUSE') return start(0)
    throw error
  }
}
