import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '../config.ts'
import type { EgressOptions } from '../egress/create-egress.ts'
import type { Reach } from '../egress/egress.ts'
import { type RunningGateway, startServer } from '../server.ts'
import { workspaceSettings } from '../workspaces/settings.ts'
import { type Workspace, workspacePath } from '../workspaces/workspace.ts'

export interface TestGatewayOptions {
  /** What `gatehouse.yaml` says; a free port and a new temporary folder are taken whatever it says about those. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Flags, named as `loadConfig` takes them; they beat the file. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** The environment the configuration is read with; this process's own is not looked at. */
  readonly env?: Readonly<Record<string, string>>
  readonly now?: () => number
  /** The way out: a resolver that answers as an attacker's would, a clock for its deadlines. */
  readonly egress?: EgressOptions
}

/** A real gateway on a free port with its own store, for tests. */
export interface TestGateway extends AsyncDisposable {
  readonly url: string
  readonly running: RunningGateway
  /** Holds `data` and `keys`; removed at the end. */
  readonly folder: string
  readonly config: Config
  readonly adminKey: string
  /** Every line it has logged, as it would stand on standard output. */
  readonly log: readonly string[]
  /**
   * Makes a workspace as `/api` would and gives its endpoint. `settings` is what a POST to `/api/workspaces` takes. The
   * holder of the admin key is the operator; `person` is anybody else who may make workspaces. Waits for the keys of its
   * issuers, which `/api` does not.
   */
  makeWorkspace(settings: unknown, reach?: Reach): Promise<{ readonly workspace: Workspace; readonly endpoint: string }>
  /** Stops it and starts it again on the same port and store. */
  restart(): Promise<void>
}

/** Starts a gateway for one test; `await using` stops it and removes its folder. */
export async function startGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { config = {}, flags = {}, env = {}, now, egress } = options
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  const file = join(folder, 'gatehouse.yaml')
  // JSON is YAML too.
  await writeFile(file, JSON.stringify(config))
  const log: string[] = []
  const configure = (port: number) =>
    loadConfig({
      file,
      flags: { port, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys'), ...flags },
      env,
    })
  const start = async (port: number) =>
    startServer(configure(port), {
      logTo: { write: (text: string) => void log.push(text) },
      ...(now === undefined ? {} : { now }),
      egress,
    })
  const first = await start(0).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  let running = first
  const port = Number(new URL(first.url).port)
  return {
    url: first.url,
    folder,
    log,
    config: configure(port),
    adminKey: first.gateway.adminKey,
    get running() {
      return running
    },
    async makeWorkspace(settings, reach = 'operator') {
      const { manager } = running.gateway
      const workspace = await manager.create(workspaceSettings.parse(settings), { keptBy: 'api', reach })
      await manager.opened(workspace.id)?.started
      return { workspace, endpoint: running.gateway.publicUrls.own + workspacePath(workspace) }
    },
    async restart() {
      await running.stop()
      running = await start(port)
    },
    async [Symbol.asyncDispose]() {
      await running.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
