import { type Front, type FrontOptions, seenAt, startFront } from './front.ts'
import { type OAuthStand, type OAuthStandOptions, startOAuthStand } from './oauth-stand.ts'

/** The names by which clients reach it. The gateway itself listens on this machine. */
export const NAME = 'abc.ngrok.example'
export const ORIGIN = `https://${NAME}`
export const OTHER_NAME = 'mcp.example'
export const OTHER = `https://${OTHER_NAME}`

/** What seed 003 has: ngrok or nginx in front, TRUST_PROXY, and no PUBLIC_URL. */
export const BEHIND = { trustProxy: true, allowedHosts: [NAME, OTHER_NAME], auth: { authType: 'oauth' } }

/** A gateway with a workspace that people sign in to, behind a proxy. */
export interface ForwardedStand extends AsyncDisposable {
  readonly front: Front
  /** As somebody on the same machine knows it. */
  readonly direct: OAuthStand
  readonly there: OAuthStand
  /** The same by its second name. */
  readonly other: OAuthStand
}

export async function startForwarded(
  { config, ...options }: OAuthStandOptions = {},
  how: Partial<FrontOptions> = {},
): Promise<ForwardedStand> {
  await using parts = new AsyncDisposableStack()
  const front = parts.use(await startFront({ names: [NAME, OTHER_NAME], ...how }))
  const direct = parts.use(await startOAuthStand({ ...options, config: { ...BEHIND, ...config } }))
  front.to(direct.gateway.running.url)
  const started = parts.move()
  return {
    ...{ front, direct, there: seenAt(direct, ORIGIN), other: seenAt(direct, OTHER) },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
