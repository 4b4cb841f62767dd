import * as z from 'zod'

const level = z.enum(['debug', 'info', 'warn', 'error'])
const whole = (min: number, max: number) => z.number().int().min(min).max(max)

/** Where its events are sent. */
export const securityWebhookSettings = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Takes events as JSON by POST.'),
  secret: z.string().min(16).optional().describe('Signs deliveries, X-Gatehouse-Signature. Default: not signed.'),
  minLevel: level.default('warn').describe('Least level that is sent.'),
  batchMs: whole(10, 60_000).default(1_000).describe('Events of this time go together, milliseconds.'),
})

/** The security log (seed 003, `securityLogging`). */
export const securityLoggingSettings = z.strictObject({
  enabled: z.boolean().default(true).describe('False: off.'),
  logLevel: level.default('info').describe('Least level that is logged.'),
  logToFile: z
    .boolean()
    .optional()
    .describe('Default: whether logFilePath is given. Without file and webhook the ordinary log is used.'),
  logFilePath: z.string().min(1).optional().describe('JSON lines go there. Default: security.log in dataDir.'),
  maxBytes: whole(1_000, 10_000_000_000).default(10_000_000).describe('Size at which the file is put aside, bytes.'),
  maxFiles: whole(1, 100).default(5).describe('Files that are kept, the current one included.'),
  webhook: securityWebhookSettings.optional().describe('Sends events to another system.'),
  alerts: z
    .strictObject({
      failures: whole(1, 1_000_000).default(100).describe('Refused requests in a window that are an alert.'),
      windowMs: whole(1_000, 86_400_000).default(60_000).describe('Length of the window, milliseconds.'),
    })
    .prefault({})
    .describe('When many failures are an event of their own.'),
})
