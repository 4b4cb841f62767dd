import { join } from 'node:path'
import type { Refused } from '../app.ts'
import type { Config } from '../config.ts'
import type { Egress } from '../egress/egress.ts'
import type { ErrorCode } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Denials } from '../records/denials.ts'
import type { Log } from '../records/log.ts'
import type { RecordLine, WriteRecord } from '../records/record.ts'
import type { SecurityEvent, SecurityLevel } from '../records/security-event.ts'
import { openSecurityFile } from '../records/security-file.ts'
import { createSecurityLog, type SecurityLog, type SecuritySink } from '../records/security-log.ts'
import { openSecurityWebhook } from '../records/security-webhook.ts'
import { startRecord } from '../records/start-record.ts'

/** Who looks at records besides their writer. */
export interface Watchers {
  readonly denials?: Pick<Denials, 'note'> | undefined
  readonly security?: Pick<SecurityLog, 'record'> | undefined
}

/** Passes every record on, and shows it to those who watch. Without any it is the writer itself. */
export function watched(write: WriteRecord, { denials, security }: Watchers): WriteRecord {
  if (denials === undefined && security === undefined) return write
  return (line) => {
    write(line)
    if (line.outcome === 'denied') denials?.note(line)
    security?.record(line)
  }
}

/** What is no fault of whoever asked: somebody has to look into it. */
const OUR_FAILURES: ReadonlySet<string | undefined> = new Set(['internal', 'unavailable'] satisfies ErrorCode[])

/**
 * Shows watchers a refusal that leaves no record: at the front door, or by `/api`, which may know who it was. A failure of
 * ours stands in the log, since nothing else would tell of it.
 */
export function refusalNoter(
  { denials, security, log }: Watchers & { readonly log: Pick<Log, 'record'> },
  now: () => number,
): (exchange: Exchange, error: unknown, who?: Refused) => void {
  return (exchange, error, who) => {
    const noteFailure = (line: RecordLine) => {
      if (OUR_FAILURES.has(line.code)) log.record(line)
    }
    const show = watched(noteFailure, {
      security: security === undefined ? undefined : { record: (line) => security.record(line, who?.by) },
      denials: denials === undefined ? undefined : { note: (denial) => denials.note({ ...denial, ...who }) },
    })
    const record = startRecord(exchange, show, now)
    record.line.method = `${exchange.method} ${exchange.path}`
    record.fail(error)
    record.end(undefined)
  }
}

/**
 * The security log as the configuration wants it; undefined when it is off.
 *
 * @throws GatewayError `config_invalid` when its file cannot be written.
 */
export function openSecurityLog(
  config: Pick<Config, 'securityLogging' | 'dataDir'>,
  { egress, log, now }: { readonly egress: Egress; readonly log: Log; readonly now: () => number },
): SecurityLog | undefined {
  const settings = config.securityLogging
  if (settings === undefined || !settings.enabled) return undefined
  const { logFilePath, logToFile = logFilePath !== undefined, webhook } = settings
  const sinks: SecuritySink[] = []
  if (logToFile) {
    const path = logFilePath ?? join(config.dataDir, 'security.log')
    sinks.push(openSecurityFile({ path, bytesMax: settings.maxBytes, filesMax: settings.maxFiles, log }))
  }
  if (webhook !== undefined) {
    const { url, secret, minLevel, batchMs } = webhook
    sinks.push(openSecurityWebhook({ url, secret, minLevel, batchMs, egress, log, now }))
  }
  if (sinks.length === 0) sinks.push(ordinaryLog(log))
  return createSecurityLog({ level: settings.logLevel, sinks, alerts: settings.alerts, now })
}

/** `securityLogging: { enabled: true }` alone: events stand among the other lines. */
function ordinaryLog(log: Log): SecuritySink {
  return {
    take: ({ time: _time, level, event, ...fields }: SecurityEvent) => say(log, level)(`security: ${event}`, fields),
    close: async () => {},
  }
}

function say(log: Log, level: SecurityLevel): Log['info'] {
  switch (level) {
    case 'debug':
      return log.debug
    case 'info':
      return log.info
    case 'warn':
      return log.warn
    case 'error':
      return log.error
  }
}
