import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../config.ts'
import { type RunningGateway, startProtect } from '../server.ts'
import { accessSettings } from '../workspaces/access-settings.ts'
import { upstreamSettings } from '../workspaces/settings.ts'
import { type TestCallers, testCallers } from './callers.ts'

export interface TestProtectedOptions {
  /** Which tools are for whom. */
  readonly rules?: {
    readonly tools?: readonly string[]
    readonly publicTools?: readonly string[]
    readonly toolScopes?: ReadonlyMap<string, readonly string[]>
  }
  /** The same as the settings of a workspace have it. */
  readonly access?: Readonly<Record<string, unknown>>
  /** How we sign in at the MCP server. */
  readonly upstream?: unknown
  /** Flags, named as `loadConfig` takes them; by default callers need a token of `callers`. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly now?: () => number
}

/** `gatehouse protect` on a free port, for tests. */
export interface TestProtected extends AsyncDisposable {
  /** The MCP endpoint, `…/mcp`. */
  readonly endpoint: string
  readonly callers: TestCallers
  readonly running: Pick<RunningGateway, 'url' | 'stop'>
  /** Every line it has logged. */
  readonly log: readonly string[]
}

/** Starts one in front of the MCP server at `url`; `await using` stops it. */
export async function startProtected(url: string, options: TestProtectedOptions = {}): Promise<TestProtected> {
  const {
    rules: { tools, publicTools = [], toolScopes = new Map() } = {},
    access = {},
    upstream = {},
    flags = {},
    now,
  } = options
  const callers = testCallers({}, now)
  const keysDir = await mkdtemp(join(tmpdir(), 'gatehouse-protect-'))
  const { secret, issuer, audience } = callers
  const log: string[] = []
  const config = loadConfig({ flags: { port: 0, keysDir, secret, issuer, audience, ...flags }, env: {} })
  const running = await startProtect(
    config,
    {
      mcp: { url, tools },
      access: accessSettings.parse({ publicTools, toolScopes: Object.fromEntries(toolScopes), ...access }),
      upstream: upstreamSettings.parse(upstream),
    },
    { logTo: { write: (line) => void log.push(line) }, ...(now === undefined ? {} : { now }) },
  )
  return {
    ...{ endpoint: `${running.url}/mcp`, callers, running, log },
    async [Symbol.asyncDispose]() {
      await running.stop()
      await rm(keysDir, { recursive: true, force: true })
    },
  }
}
