import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import type { App } from '../app.ts'
import { createApp } from '../app.ts'
import { type Config, isLoopback, isPublic } from '../config.ts'
import { readOrMakeKeyFile } from '../crypto/key-file.ts'
import { createKeyring, type Keyring } from '../crypto/keyring.ts'
import { createEgress, type EgressOptions } from '../egress/create-egress.ts'
import { fetchDocument } from '../egress/read-document.ts'
import { GatewayError } from '../errors.ts'
import { type HostRules, LOOPBACK_HOSTS } from '../http/host-and-origin.ts'
import { KeySets } from '../identify/key-sets.ts'
import { ResultCache } from '../identify/result-cache.ts'
import { keepFileWorkspaces, slugsInFile } from '../manage/file-workspaces.ts'
import { type ImportedDocument, type OpenWorkspace, openWorkspace } from '../manage/open-workspace.ts'
import { WorkspaceManager } from '../manage/workspace-manager.ts'
import { RunningCalls } from '../mcp/running-calls.ts'
import { McpSessions } from '../mcp/sessions.ts'
import { createLog, type Log } from '../records/log.ts'
import { readRecords } from '../records/read-records.ts'
import { createRecordWriter } from '../records/write-records.ts'
import { checkKey } from '../store/check-key.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { documentBytesMax } from '../tools/document.ts'
import { WorkspaceDirectory } from '../workspaces/resolve.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'
import type { WorkspaceDocument } from '../workspaces/workspace.ts'
import { createWorkspaceRows } from '../workspaces/workspace-rows.ts'
import { createStages } from './stages.ts'

const STANDARD_OUTPUT = 1

/** A gateway without a listener: everything behind it is open. */
export interface Gateway {
  readonly app: App
  readonly manager: WorkspaceManager<OpenWorkspace>
  readonly log: Log
  readonly adminKey: string
  readonly hostRules: () => HostRules
  readonly publicUrl: () => string
  /** Tells the gateway where its listener ended up; before that, `publicUrl` is what the configuration says. */
  listensOn(url: string): void
  /** Writes what waits to be written and closes the store. The listener must be closed first. */
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly now?: () => number
  /** Log lines go here instead of to standard output. */
  readonly logTo?: { write(line: string): void } | undefined
  /** The way out: how names are resolved, which clock its deadlines run by. Default: the system's. */
  readonly egress?: EgressOptions | undefined
}

/**
 * Opens the store and everything that stands on it.
 *
 * @throws GatewayError `config_invalid` for what must not start: a wrong key, an unsafe workspace, a data folder in use.
 */
export async function assembleGateway(
  config: Config,
  { now = Date.now, logTo, egress: wayOut }: GatewayOptions = {},
): Promise<Gateway> {
  const adminKey = readOrMakeKeyFile(join(config.keysDir, 'admin.key')).secret
  const keyring = readKeyring(config)
  const version = await readVersion()
  const log = createLog({
    format: config.logFormat,
    level: config.logLevel,
    destination: logTo ?? STANDARD_OUTPUT,
    now,
  })
  const store = await openSqliteStore({ folder: config.dataDir })
  const closing = new AbortController()
  const egress = createEgress(wayOut)
  const close: (() => Promise<void> | void)[] = [() => egress.close(), () => store.close(), () => log.close()]
  try {
    await checkKey(store, keyring)
    const records = createRecordWriter(store, log)
    close.unshift(() => records.close())
    const keySets = new KeySets({ egress, now })
    const directory = new WorkspaceDirectory<OpenWorkspace>()
    const open = {
      identity: { now, isDevelopment: config.isDevelopment, keySets, results: new ResultCache() },
      defaultAuth: defaultAuth(config),
      egress,
      now,
      writeRecord: records.write,
      version,
      imports: new WeakMap<WorkspaceDocument, ImportedDocument>(),
      warn: (message: string) => log.warn(message),
    }
    const inFile = slugsInFile(config.workspaces)
    const manager = new WorkspaceManager<OpenWorkspace>({
      rows: createWorkspaceRows(store, keyring),
      open: (workspace) => openWorkspace(workspace, open),
      publish: (served) => directory.replace(served),
      fetchDocument: async (url, reach) =>
        (await fetchDocument(egress, url, { reach, timeoutMs: 30_000, bytesMax: documentBytesMax })).text,
      isServed: (workspace) => workspace.keptBy === 'api' || inFile.has(workspace.slug),
      onBroken: (slug, error) => log.error(`Workspace ${slug} is not served: ${messageOf(error)}`),
      now,
    })
    close.unshift(() => keySets.close())
    await manager.start()
    await keepFileWorkspaces(manager, config.workspaces, {
      warn: open.warn,
      info: (message) => log.info(message),
      wait: waiter(closing.signal),
    })
    let publicUrl = (config.publicUrl ?? `http://${config.host}:${config.port}`).replace(/\/+$/, '')
    const hostRules = hostRulesOf(config)
    const stages = createStages({
      directory,
      egress,
      mcp: { sessions: new McpSessions(keyring, now), running: new RunningCalls() },
      publicUrl: () => publicUrl,
      writeRecord: records.write,
      recordArguments: config.recordArguments,
      now,
    })
    return {
      app: createApp({
        version,
        stages,
        directory,
        manager,
        hostRules: () => hostRules,
        publicUrl: () => publicUrl,
        adminKey,
        readLogs: (query) => readRecords(store, query, records),
        isReady: () =>
          store.meta.find('schema_version').then(
            () => true,
            () => false,
          ),
      }),
      manager,
      log,
      adminKey,
      hostRules: () => hostRules,
      publicUrl: () => publicUrl,
      listensOn: (url) => {
        if (config.publicUrl === undefined) publicUrl = url
      },
      close: async () => {
        closing.abort()
        for (const step of close) await step()
      },
    }
  } catch (error) {
    for (const step of close) await step()
    throw error
  }
}

function readKeyring(config: Config): Keyring {
  if (config.encryptionKey !== undefined) return createKeyring(config.encryptionKey)
  return createKeyring(readOrMakeKeyFile(join(config.keysDir, 'encryption.key')).secret)
}

/** Nothing configured means open, which `loadConfig` lets through on loopback only; anywhere else it means nobody. */
function defaultAuth(config: Config): InboundAuthSettings {
  if (config.auth !== undefined) return config.auth
  if (isPublic(config)) throw new GatewayError('config_invalid', 'auth: no auth is configured.')
  return { authType: 'none', jwt: [] }
}

function hostRulesOf(config: Config): HostRules {
  const own = config.publicUrl === undefined ? undefined : new URL(config.publicUrl)
  const loopback = isLoopback(config.host)
  const hosts = [...(config.allowedHosts ?? []), ...(own === undefined ? [] : [own.hostname])]
  // This machine's own names are among them wherever we listen, for the CLI: no rebound name can look like one of them.
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  const reachedBy = host === '0.0.0.0' || host === '[::]' ? [] : [host]
  return {
    hosts: new Set([...hosts, ...LOOPBACK_HOSTS, ...reachedBy].map((name) => name.toLowerCase())),
    origins: new Set([...(config.allowedOrigins ?? []), ...(own === undefined ? [] : [own.origin])]),
    loopbackOrigins: loopback,
  }
}

/** False as soon as the gateway stops. */
function waiter(signal: AbortSignal): (milliseconds: number) => Promise<boolean> {
  return (milliseconds) =>
    setTimeout(milliseconds, true, { signal, ref: false }).catch((error: unknown) => {
      if (signal.aborted) return false
      throw error
    })
}

async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(text))
  return version
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error'
}
