import * as z from 'zod'

/** Where sessions are kept in Redis or Valkey (seed 003). */
export const redisSettings = z
  .strictObject({
    url: z
      .string()
      .regex(/^rediss?:\/\/[^\s]+$/, 'is written as redis://user:password@host:6379/0, or rediss:// for TLS')
      .optional()
      .describe('Address, in the place of host and port.'),
    host: z.string().min(1).optional().describe('Default: localhost.'),
    port: z.number().int().min(1).max(65_535).optional().describe('Default: 6379.'),
    socketPath: z.string().startsWith('/').optional().describe('Unix socket, in the place of host and port.'),
    username: z.string().min(1).optional().describe('User of the access list. Default: default.'),
    password: z.string().min(1).optional().describe('Better as { $env: NAME } or REDIS_PASSWORD.'),
    db: z.number().int().min(0).max(1_000_000).optional().describe('Number of the database. Default: 0.'),
    keyPrefix: z.string().min(1).max(200).default('gatehouse:').describe('Stands before every key.'),
    tls: z
      .union([z.boolean(), z.strictObject({ ca: z.string().includes('BEGIN CERTIFICATE') })])
      .optional()
      .describe('true, or { ca: PEM } for an authority of your own. Default: as the url says, else off.'),
  })
  .refine(({ url, host, port, socketPath }) => url === undefined || (host ?? port ?? socketPath) === undefined, {
    message: 'give url, or host and port, not both',
  })
  .refine(({ host, port, socketPath }) => socketPath === undefined || (host ?? port) === undefined, {
    message: 'give socketPath, or host and port, not both',
  })

/** Where the sessions of the authorization server are kept (seed 003, `oauth.sessionStorage`). */
export const sessionStorageSettings = z
  .strictObject({
    type: z
      .enum(['store', 'memory', 'file', 'redis'])
      .default('store')
      .describe(
        'store: in the data folder. memory: until the process ends. file: one sealed file. redis: for several processes.',
      ),
    filePath: z
      .string()
      .min(1)
      .optional()
      .describe('The file of type file. Default: oauth-sessions.json in sessionStorePath, else in dataDir.'),
    redis: redisSettings.optional().describe('How Redis is reached, for type redis.'),
  })
  .refine(({ type, filePath }) => filePath === undefined || type === 'file', {
    message: 'filePath is for type: file',
  })
  .refine(({ type, redis }) => redis === undefined || type === 'redis', { message: 'redis is for type: redis' })

export type SessionStorageSettings = z.output<typeof sessionStorageSettings>
