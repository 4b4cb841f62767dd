import { pino } from 'pino'
import { messageText, printableJson, recordText } from './log-text.ts'
import type { Outcome, RecordLine } from './record.ts'
import { isSecretName, REDACTED, redactText } from './redact.ts'

/** A piece of detail beside a message. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** What the process says while it runs: messages, and a line for every record. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** One line: `ok` as info, `denied` and `tool_error` as warn, `failed` as error. */
  record(line: RecordLine): void
  /** Resolves when everything is written. */
  close(): Promise<void>
}

/** The lowest level that is printed. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** How the log looks and where it goes. */
export interface LogOptions {
  /** `json`: pino's JSON lines. `text`: a line to read, without colours. */
  readonly format: 'json' | 'text'
  readonly level: LogLevel
  /** A file descriptor (1 is the standard output), which is written without blocking, or anything that takes lines. */
  readonly destination: number | LineTaker
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Takes whole lines, each with its line end. */
export interface LineTaker {
  write(text: string): unknown
}

const TEXT_LENGTH_MAX = 2000
/** Text that nobody reads does not pile up past this; then lines are dropped. */
const UNREAD_BYTES_MAX = 16_000_000
const WRITE_BYTES = 16_000
const FLUSH_MS = 100
const CLOSE_MS_MAX = 2000
const LEVELS = ['debug', 'info', 'warn', 'error'] as const

type MessageLevel = (typeof LEVELS)[number]

/** The two things a format has to say. Lines below the level never reach it. */
interface Printer {
  message(level: MessageLevel, message: string, fields: LogFields): void
  record(level: MessageLevel, line: RecordLine): void
}

/** The log in this format. Values under names that look secret and texts that look like credentials are replaced once more here. */
export function createLog(options: LogOptions): Log {
  const output =
    typeof options.destination === 'number' ? openDescriptor(options.destination) : plain(options.destination)
  const printer = options.format === 'json' ? jsonPrinter(output, options) : textPrinter(output, options)
  const lowest = options.level === 'silent' ? LEVELS.length : LEVELS.indexOf(options.level)
  const isShown = (level: MessageLevel) => LEVELS.indexOf(level) >= lowest
  const say =
    (level: MessageLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (isShown(level)) printer.message(level, redactText(message, TEXT_LENGTH_MAX), redactFields(fields))
    }
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    record(line) {
      const level = levelOf(line.outcome)
      if (isShown(level)) printer.record(level, line)
    },
    close: () => output.close(),
  }
}

function levelOf(outcome: Outcome): MessageLevel {
  switch (outcome) {
    case 'ok':
      return 'info'
    case 'tool_error':
    case 'denied':
      return 'warn'
    case 'failed':
      return 'error'
  }
}

function redactFields(fields: LogFields): LogFields {
  const redacted: Record<string, LogFields[string]> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (isSecretName(name)) redacted[name] = REDACTED
    else redacted[name] = typeof value === 'string' ? redactText(value, TEXT_LENGTH_MAX) : value
  }
  return redacted
}

function jsonPrinter(output: Output, { level, now }: LogOptions): Printer {
  const printed = { write: (line: string) => output.write(printableJson(line)) }
  const logger = pino({ level, base: null, timestamp: () => `,"time":${now()}` }, printed)
  return {
    message: (at, message, fields) => logger[at](fields, message),
    record: (at, line) => logger[at](line, line.kind),
  }
}

function textPrinter(output: Output, { now }: LogOptions): Printer {
  return {
    message: (level, message, fields) => output.write(messageText(level, message, { at: now(), fields })),
    record: (_level, line) => output.write(recordText(line)),
  }
}

interface Output {
  write(text: string): void
  close(): Promise<void>
}

function plain(taker: LineTaker): Output {
  return { write: (text) => void taker.write(text), close: async () => {} }
}

/** Writes in the background: a request never waits for whoever reads the log. What is left at the exit is still written. */
function openDescriptor(descriptor: number): Output {
  const stream = pino.destination({
    dest: descriptor,
    sync: false,
    maxLength: UNREAD_BYTES_MAX,
    // Under load one write for many lines; a single line is there within a tenth of a second.
    minLength: WRITE_BYTES,
    periodicFlush: FLUSH_MS,
  })
  const closed = new Promise<void>((resolve) => {
    stream.once('close', resolve)
    // A reader that went away (`gatehouse start | head`) must not end the gateway; there is nobody left to tell.
    stream.on('error', () => resolve())
  })
  let isClosed = false
  return {
    write(text) {
      if (!isClosed) stream.write(text)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      const { promise: deadline, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, CLOSE_MS_MAX)
      stream.end()
      await Promise.race([closed, deadline])
      clearTimeout(timer)
      // Text that could not be written would be tried for ever when the process exits (sonic-boom's flushSync).
      stream.destroy()
    },
  }
}
