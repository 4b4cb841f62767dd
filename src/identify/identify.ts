import type { Egress, Reach } from '../egress/egress.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Asking } from '../http/public-urls.ts'
import type { FailedAuthLimit } from '../limits/failed-auth.ts'
import { devSettings, type InboundAuthSettings } from '../workspaces/settings.ts'
import { anonymous, type Caller, localCaller } from './caller.ts'
import { CredentialIdentity } from './credential-identity.ts'
import { createDevIdentity } from './dev-identity.ts'
import type { IssuedCredentials } from './issued.ts'
import type { KeySets } from './key-sets.ts'
import type { OAuthCredentials, TokenTarget } from './oauth.ts'
import type { ResultCache } from './result-cache.ts'

/** Says who is calling, by the settings of one workspace. Compiled when they change. */
export interface Identity {
  /** Issuers that can be authorization servers for whoever asks (RFC 9728 §2, `authorization_servers`). */
  authorizationServers(asking: Asking): readonly string[]
  /** Access tokens of our own authorization server are taken. */
  readonly takesOAuth: boolean
  /** `authType` is `none`: everybody may call, and nobody is asked who he is. */
  readonly isOpenToAll: boolean
  /** Fetches the keys of every issuer. Gives the problems, for the log; never throws. */
  start(): Promise<readonly string[]>
  /**
   * The caller; at once, without a promise, when the token was seen a moment ago.
   *
   * Does not check scopes. @throws (or rejects with) GatewayError `missing_token`, `invalid_token` (its message names the
   * kind of failure), `identity_provider_unavailable`, or `forbidden` for somebody known who may not come in.
   */
  identify(request: IdentifyRequest, workspaceId: string): Caller | Promise<Caller>
  /** Whether a caller whom `identify` gave may go on; false once what he came with was revoked. */
  isGood(caller: Caller, workspaceId: string): boolean
  /** The scopes that every call of this caller needs. */
  requiredScopes(caller: Caller): readonly string[]
}

/** Without method and path no proof of possession can be checked, so none counts. */
export type IdentifyRequest = Pick<Exchange, 'header' | 'transport' | 'clientAddress' | 'forwarded'> &
  Partial<Pick<Exchange, 'method' | 'path'>>

export interface IdentityOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** NODE_ENV is `test` or `development`. */
  readonly isDevelopment: boolean
  /** Who wrote the settings: how far their URLs may reach. */
  readonly reach: Reach
  readonly keySets: KeySets
  /** How a provider is asked for userinfo. Undefined: it cannot be. */
  readonly egress?: Egress | undefined
  readonly results: ResultCache
  /** A request without any credential is let through as the anonymous caller: some tools are public. Default: refused. */
  readonly allowsAnonymous?: boolean
  /** Slows down whoever guesses. A caller whose credential was good a moment ago is let in all the same. */
  readonly failedAuth?: FailedAuthLimit | undefined
  /** Tokens and API keys that we issued. Undefined: we issue none, and know only the workspace's own verifiers. */
  readonly issued?: IssuedCredentials | undefined
  /** Access tokens of our own authorization server. Undefined: there is none. */
  readonly oauth?: OAuthCredentials | undefined
  /** The workspace that those must be for. */
  readonly target?: TokenTarget | undefined
}

/**
 * Compiles the inbound settings of a workspace.
 *
 * @throws GatewayError `config_invalid` when they are unsafe, cannot work, or leave open which verifier takes a token.
 */
export function createIdentity(inbound: InboundAuthSettings, options: IdentityOptions): Identity {
  switch (inbound.authType) {
    case 'none':
      return openToAll
    case 'jwt':
    case 'oauth':
    case 'both':
      return new CredentialIdentity(inbound, options)
    case 'dev':
      return createDevIdentity(inbound.dev ?? devSettings.parse({}), options)
  }
}

/** `authType: 'none'`: nobody is asked, and credentials are not looked at. */
const openToAll: Identity = {
  authorizationServers: () => [],
  takesOAuth: false,
  isOpenToAll: true,
  start: async () => [],
  identify: (request) => (request.transport === 'stdio' ? localCaller : anonymous),
  isGood: () => true,
  requiredScopes: () => [],
}
