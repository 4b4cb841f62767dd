import { join } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { type Config, isLoopback, isPublic } from '../config.ts'
import { readOrMakeKeyFile } from '../crypto/key-file.ts'
import { createKeyring, type Keyring } from '../crypto/keyring.ts'
import { createEgress, type EgressOptions } from '../egress/create-egress.ts'
import type { Egress } from '../egress/egress.ts'
import { GatewayError } from '../errors.ts'
import { type HostRules, LOOPBACK_HOSTS } from '../http/host-and-origin.ts'
import { OpenStreams } from '../http/open-streams.ts'
import { hostNameOf, PublicUrls } from '../http/public-urls.ts'
import { KeySets } from '../identify/key-sets.ts'
import { ResultCache } from '../identify/result-cache.ts'
import { CallerLimits } from '../limits/caller-limits.ts'
import { createFailedAuthLimit } from '../limits/failed-auth.ts'
import type { OpenOptions, OpenWorkspace } from '../manage/open-workspace.ts'
import type { McpState } from '../mcp/answer.ts'
import { RunningCalls } from '../mcp/running-calls.ts'
import { McpSessions } from '../mcp/sessions.ts'
import { SseSessions } from '../mcp/sse-sessions.ts'
import { ToolChanges } from '../mcp/tool-changes.ts'
import { createLog, type Log } from '../records/log.ts'
import type { WriteRecord } from '../records/record.ts'
import type { SecurityLog } from '../records/security-log.ts'
import { WorkspaceDirectory } from '../workspaces/resolve.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'
import { createStages } from './stages.ts'
import { openSecurityLog } from './watch.ts'

const STANDARD_OUTPUT = 1

export interface GatewayOptions {
  readonly now?: () => number
  /** Log lines go here instead of to standard output. */
  readonly logTo?: { write(line: string): void } | undefined
  /** The way out: how names are resolved, which clock its deadlines run by. Default: the system's. */
  readonly egress?: EgressOptions | undefined
}

/** What every way in stands on: everything but where the workspaces come from and where records go. */
export interface Foundation {
  readonly now: () => number
  readonly version: string
  readonly keyring: Keyring
  readonly log: Log
  /** Undefined when it is off. */
  readonly security: SecurityLog | undefined
  readonly egress: Egress
  readonly directory: WorkspaceDirectory<OpenWorkspace>
  readonly hostRules: () => HostRules
  readonly publicUrls: PublicUrls
  openOptions(writeRecord: WriteRecord): OpenOptions
  stages(writeRecord: WriteRecord): ReturnType<typeof createStages>
  /** Serves this set from now on, and tells clients that listen when their tools have changed. */
  publish(served: readonly OpenWorkspace[]): void
  /** Ends every stream of events: they would hold up a stop. */
  endStreams(): void
  close(): Promise<void>
}

/** @throws GatewayError `config_invalid` for keys that cannot be read or made. */
export async function layFoundation(
  config: Config,
  { now = Date.now, logTo, egress: wayOut }: GatewayOptions = {},
): Promise<Foundation> {
  const keyring = readKeyring(config)
  const { version } = manifest
  const { logFormat: format, logLevel: level } = config
  const log = createLog({ format, level, destination: logTo ?? STANDARD_OUTPUT, now })
  const { privateHosts } = config
  const egress = createEgress({ ...(privateHosts === undefined ? {} : { allowedHosts: privateHosts }), ...wayOut })
  const security = openSecurityLog(config, { egress, log, now })
  const keySets = new KeySets({ egress, now })
  const directory = new WorkspaceDirectory<OpenWorkspace>()
  const mcp: McpState = {
    sessions: new McpSessions(keyring, now),
    running: new RunningCalls(),
    streams: new OpenStreams({ now }),
    sse: new SseSessions(),
    changes: new ToolChanges(),
  }
  const publicUrls = new PublicUrls(config)
  const hostRules = hostRulesOf(config)
  return {
    now,
    version,
    keyring,
    log,
    security,
    egress,
    directory,
    hostRules: () => hostRules,
    publicUrls,
    openOptions: (writeRecord) => ({
      identity: {
        ...{ now, isDevelopment: config.isDevelopment, keySets, egress, results: new ResultCache() },
        failedAuth: config.failedAuth === undefined ? undefined : createFailedAuthLimit(config.failedAuth),
      },
      defaultAuth: defaultAuth(config),
      defaultLimits: config.rateLimiting,
      callerLimits: new CallerLimits(),
      egress,
      now,
      writeRecord,
      version,
      imports: new WeakMap(),
      warn: (message) => log.warn(message),
    }),
    stages: (writeRecord) =>
      createStages({
        directory,
        egress,
        mcp,
        publicUrl: () => publicUrls.own,
        writeRecord,
        recordArguments: config.recordArguments,
        now,
      }),
    publish: (served) => {
      const before = new Map(directory.entries.map(({ path, catalog }) => [path, catalog.listJson]))
      directory.replace(served)
      for (const { path, catalog, workspace } of served) {
        const list = before.get(path)
        if (list !== undefined && list !== catalog.listJson) mcp.changes.tell(workspace.id)
      }
    },
    endStreams: () => mcp.streams.close(),
    close: async () => {
      keySets.close()
      await security?.close()
      await egress.close()
      await log.close()
    },
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
  const hosts = [...(config.allowedHosts ?? []).map(hostNameOf), ...(own === undefined ? [] : [own.hostname])]
  // This machine's own names are among them wherever we listen, for the CLI: no rebound name can look like one of them.
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  const reachedBy = host === '0.0.0.0' || host === '[::]' ? [] : [host]
  return {
    hosts: new Set([...hosts, ...LOOPBACK_HOSTS, ...reachedBy].map((name) => name.toLowerCase())),
    origins: new Set([...(config.allowedOrigins ?? []), ...(own === undefined ? [] : [own.origin])]),
    loopbackOrigins: loopback,
  }
}
