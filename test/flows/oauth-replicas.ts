import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../src/config.ts'
import { startServer } from '../../src/server.ts'
import { RedisServer } from '../redis/redis-server.ts'
import { type OAuthStand, startOAuthStand } from './oauth-stand.ts'

/** What clients call it; both processes stand behind it. */
const PUBLIC_URL = 'http://localhost:1'

/** Two processes with one configuration, one set of keys and workspaces, and one Redis for what they share. */
export interface Replicas extends AsyncDisposable {
  readonly stand: OAuthStand
  /** Path of the workspace. */
  readonly path: string
  readonly publicUrl: string
  /** Where each of them listens. */
  readonly origins: readonly [string, string]
}

export async function startReplicas(oauth: Readonly<Record<string, unknown>>): Promise<Replicas> {
  await using parts = new AsyncDisposableStack()
  const redis = parts.use(await RedisServer.start())
  const sessionStorage = { type: 'redis', redis: { socketPath: redis.socketPath } }
  const config = { publicUrl: PUBLIC_URL, auth: { authType: 'oauth' } }
  const stand = parts.use(await startOAuthStand({ oauth: { ...oauth, sessionStorage }, config }))
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-replica-'))
  parts.defer(() => rm(folder, { recursive: true, force: true }))
  // The signing key is made when the server is first asked for anything.
  const metadata = await fetch(`${new URL(stand.gateway.running.url).origin}/.well-known/oauth-authorization-server`)
  await metadata.body?.cancel()
  // The store of the second is a copy of the first's, taken while nobody writes.
  await stand.gateway.running.stop()
  await cp(stand.gateway.folder, folder, { recursive: true })
  await stand.gateway.restart()
  const flags = { port: 0, dataDir: join(folder, 'data'), keysDir: join(folder, 'keys') }
  const second = await startServer(loadConfig({ file: join(folder, 'gatehouse.yaml'), flags, env: {} }), {
    logTo: { write: () => {} },
  })
  parts.defer(() => second.stop())
  const origins = [new URL(stand.gateway.running.url).origin, new URL(second.url).origin] as const
  const started = parts.move()
  return {
    ...{ stand, origins, publicUrl: PUBLIC_URL, path: stand.endpoint.slice(PUBLIC_URL.length) },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
