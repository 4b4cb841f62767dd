import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Account, defaultAccount } from '../accounts/account.ts'
import type { People } from '../accounts/people.ts'
import { type App, createApp } from '../app.ts'
import type { Config } from '../config.ts'
import { readOrMakeKeyFile } from '../crypto/key-file.ts'
import { fetchDocument } from '../egress/read-document.ts'
import { createFailedAuthLimit } from '../limits/failed-auth.ts'
import type { Change } from '../manage/accounts.ts'
import { auditedRows } from '../manage/audited-rows.ts'
import { keepFileWorkspaces, slugsInFile } from '../manage/file-workspaces.ts'
import { type OpenWorkspace, openWorkspace } from '../manage/open-workspace.ts'
import { TokenManager } from '../manage/token-manager.ts'
import { WorkspaceManager } from '../manage/workspace-manager.ts'
import { Audit } from '../records/audit.ts'
import type { AuditEvent } from '../records/audit-event.ts'
import { Denials } from '../records/denials.ts'
import { readRecords } from '../records/read-records.ts'
import { createRecordWriter } from '../records/write-records.ts'
import { checkKey } from '../store/check-key.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { documentBytesMax } from '../tools/document.ts'
import { type OAuthWing, openOAuth } from './authorization-server.ts'
import { createDoctor } from './doctor.ts'
import { type Foundation, type GatewayOptions, layFoundation } from './foundation.ts'
import { openIssuing } from './issuing.ts'
import { type FirstRun, openPeople } from './people.ts'
import { startRetention } from './retention.ts'
import { refusalNoter, watched } from './watch.ts'

/** Wrong admin keys of one address in a minute. */
const ADMIN_KEYS = { max: 60, windowMs: 60_000 }

/** A gateway without a listener: everything behind it is open. */
export interface Gateway extends Pick<Foundation, 'log' | 'hostRules' | 'publicUrls' | 'endStreams'> {
  readonly app: App
  /** Writes what waits to be written and closes everything. The listener must be closed first. */
  close(): Promise<void>
}

/** A gateway with its store, whose workspaces can be changed while it runs. */
export interface StoredGateway extends Gateway {
  /** The workspaces of the default account; `of` gives those of another. */
  readonly manager: WorkspaceManager<OpenWorkspace>
  readonly people: People
  readonly firstRun: FirstRun
  readonly adminKey: string
}

/**
 * Opens the store and everything that stands on it.
 *
 * @throws GatewayError `config_invalid` for what must not start: a wrong key, an unsafe workspace, a data folder in use.
 */
export async function assembleGateway(config: Config, options: GatewayOptions = {}): Promise<StoredGateway> {
  const adminKey = readOrMakeKeyFile(join(config.keysDir, 'admin.key')).secret
  const foundation = await layFoundation(config, options)
  const { keyring, log, security, egress, now, publicUrls, hostRules } = foundation
  const close: (() => Promise<void> | void)[] = [() => foundation.close()]
  const closing = new AbortController()
  try {
    const store = await openSqliteStore({ folder: config.dataDir })
    close.unshift(() => store.close())
    await checkKey(store, keyring)
    const account = await defaultAccount(store)
    const records = createRecordWriter(store, log)
    close.unshift(() => records.close())
    const audit = new Audit({ store, keyring, now, onEvent: security?.audit })
    await audit.start()
    let wing: OAuthWing | undefined
    const change: Change = async (event, work) => {
      const result = await audit.change(event, work)
      if (wing !== undefined) await followPerson(event, wing)
      return result
    }
    let accountOf: (workspaceId: string) => string | undefined = () => undefined
    const denials = new Denials({
      append: (events) => audit.append(events.map((event) => withAccount(event, accountOf))),
      log,
      now,
    })
    close.unshift(() => denials.flush())
    const retention = startRetention({ store, audit, config, log, now })
    close.unshift(() => retention.stop())
    const issuing = await openIssuing({
      ...{ store, keyring, log, account, now },
      publicUrl: () => publicUrls.own,
      accountOf: (workspaceId) => accountOf(workspaceId),
      unnotedMs: config.oauth.accessTokenTtlSeconds * 1000,
    })
    close.unshift(() => issuing.close())
    const write = watched(records.write, { denials, security })
    const defaults = foundation.openOptions(write)
    const onRefused = refusalNoter({ denials, security, log }, now)
    const { firstRun, people, ...management } = openPeople({ store, change, now, defaultAccount: account })
    const oauth = await openOAuth({
      ...{ ...foundation, config, store, onRefused },
      note: (event) => audit.append([event]),
      people: {
        recognize: (given, by) => management.entrance.recognize(given, by),
        find: (id) => people.find(id),
        findByEmail: (email) => people.findByEmail(email),
      },
      keys: issuing.parts.keys,
    })
    close.unshift(() => oauth.close())
    wing = oauth
    const open = { ...defaults, identity: { ...defaults.identity, issued: issuing.issued, oauth: oauth.credentials } }
    const inFile = slugsInFile(config.workspaces)
    const manager = new WorkspaceManager<OpenWorkspace>({
      rows: auditedRows(store, keyring, audit),
      accountId: account.id,
      open: (workspace) => openWorkspace(workspace, open),
      publish: foundation.publish,
      fetchDocument: async (url, reach) =>
        (await fetchDocument(egress, url, { reach, timeoutMs: 30_000, bytesMax: documentBytesMax })).text,
      isServed: (workspace) => workspace.keptBy === 'api' || inFile.has(workspace.slug),
      onBroken: (slug, error) => log.error(`Workspace ${slug} is not served: ${messageOf(error)}`),
      now,
    })
    accountOf = (workspaceId) => manager.accountOf(workspaceId)
    await manager.start()
    await keepFileWorkspaces(manager, config.workspaces, {
      warn: open.warn,
      info: (message) => log.info(message),
      wait: waiter(closing.signal),
    })
    // All at once, so one that does not answer costs a start five seconds, and not each workspace.
    await Promise.all(foundation.directory.entries.map(({ started }) => started))
    const tokens = new TokenManager({
      ...issuing.parts,
      workspace: (accountId, reference) => manager.of(accountId).get(reference),
      askForCredential: ({ accountId, id }, by) => manager.of(accountId).askForCredential(id, open.defaultAuth, by),
      change,
      note: (message) => log.info(message),
    })
    const workspacesOf = ({ id }: Account) => manager.of(id)
    const app = createApp({
      version: foundation.version,
      stages: foundation.stages(write),
      directory: foundation.directory,
      hostRules,
      publicUrls,
      management: {
        ...{ ...management, workspacesOf, adminKey, now, failedAuth: createFailedAuthLimit(ADMIN_KEYS) },
        tokensOf: (of) => tokens.of(of),
        showFirstRunCode: firstRun.show,
        connectedApps: oauth.connectedApps,
        readLogs: (query) => readRecords(store, query, records),
        audit: {
          read: (query) => denials.flush().then(() => audit.read(query)),
          verify: () => audit.verify(),
        },
        examine: createDoctor(config, foundation, {
          workspacesOf,
          defaultAuth: open.defaultAuth,
          issued: issuing.issued,
        }),
      },
      oauth,
      jwks: () => issuing.parts.keys.jwks,
      onRefused,
      isReady: () => answers(store.meta.find('schema_version')),
    })
    return { ...foundation, app, manager, people, firstRun, adminKey, close: () => closeAll(closing, close) }
  } catch (error) {
    await closeAll(closing, close)
    throw error
  }
}

async function closeAll(closing: AbortController, steps: readonly (() => Promise<void> | void)[]): Promise<void> {
  closing.abort()
  for (const step of steps) await step()
}

/** What somebody has let apps do follows what becomes of that person. */
async function followPerson({ action, target, by }: AuditEvent, oauth: OAuthWing): Promise<void> {
  if (target?.id === undefined) return
  // From now on somebody may do less than before.
  if (action === 'person.changed' || action === 'person.removed') await oauth.personChanged(target.id)
  // The old password may have been in other hands.
  if (action === 'password.changed') await oauth.connectedApps.endOfPassword(target.id, by)
}

/** A denial at a workspace is for the people of its account to read. */
function withAccount(event: AuditEvent, accountOf: (workspaceId: string) => string | undefined): AuditEvent {
  const { target, accountId } = event
  if (accountId !== undefined || target?.id === undefined) return event
  return { ...event, accountId: accountOf(target.id) }
}

function answers(asked: Promise<unknown>): Promise<boolean> {
  return asked.then(
    () => true,
    () => false,
  )
}

/** False as soon as the gateway stops. */
function waiter(signal: AbortSignal): (milliseconds: number) => Promise<boolean> {
  return (milliseconds) =>
    setTimeout(milliseconds, true, { signal, ref: false }).catch((error: unknown) => {
      if (signal.aborted) return false
      throw error
    })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error'
}
