/** The part of `oidc-provider` that we use: the package brings no types of its own. */
declare module 'oidc-provider' {
  import type { KeyObject } from 'node:crypto'
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface InteractionResult {
    /** `ts`: when it was proved who it is, seconds since the epoch. */
    login?: { accountId: string; remember?: boolean; amr?: string[]; ts?: number }
    consent?: { grantId: string }
    error?: string
    error_description?: string
  }

  export interface Interaction {
    readonly uid: string
    readonly jti: string
    readonly exp: number
    readonly prompt: { readonly name: string; readonly reasons: readonly string[] }
    readonly params: Readonly<Record<string, unknown>>
    readonly returnTo: string
    readonly session?: { readonly accountId: string; readonly uid: string }
    readonly lastSubmission?: InteractionResult
    result?: InteractionResult
    save(ttlSeconds: number): Promise<string>
    destroy(): Promise<void>
  }

  export interface Grant {
    readonly jti: string
    readonly accountId: string
    readonly clientId: string
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
    destroy(): Promise<void>
  }

  export interface Session {
    readonly uid: string
    readonly jti: string
    accountId: string | undefined
    readonly state?: { readonly secret?: string }
    authorizations: Record<string, { readonly grantId?: string; readonly sid?: string }> | undefined
    persist(): Promise<string>
    destroy(): Promise<void>
  }

  export interface Client {
    readonly clientId: string
    readonly clientName: string | undefined
    readonly clientUri: string | undefined
    readonly clientAuthMethod: string
    readonly redirectUris: readonly string[]
    redirectUriAllowed(uri: string): boolean
    grantTypeAllowed(grant: string): boolean
  }

  export interface OIDCContext {
    readonly params: Record<string, unknown> | undefined
    readonly client: Client | undefined
    readonly session: Session | undefined
    readonly account: { readonly accountId: string } | undefined
    readonly result: InteractionResult | undefined
    readonly route: string
    readonly provider: Provider
    readonly deviceCode: DeviceCode | undefined
  }

  export interface DeviceCode {
    /** Of the request that the device made. */
    readonly params: Readonly<Record<string, unknown>>
  }

  export interface ProviderContext {
    readonly oidc: OIDCContext
    readonly req: IncomingMessage
    readonly query?: Readonly<Record<string, unknown>>
    body: unknown
    type: string
    status: number
    set(headers: Readonly<Record<string, string>>): void
  }

  export class ExternalSigningKey {
    get kid(): string
    set kid(value: string)
    get alg(): string
    set alg(value: string)
    get use(): string
    get kty(): string
    get crv(): string
    keyObject(): KeyObject
    sign(data: Uint8Array): Promise<Uint8Array>
  }

  export interface ResourceServer {
    identifier(): string
  }

  export interface AccessToken {
    resourceServer: ResourceServer
    readonly tokenType: string
    setThumbprint(kind: 'jkt', thumbprint: string): void
    save(): Promise<string>
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    readonly issuer: string
    /** Whether `X-Forwarded-*` counts: only in requests that we have made ourselves. */
    proxy: boolean
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<unknown>
    use(middleware: (context: never, next: () => Promise<unknown>) => Promise<void>): this
    on(event: string, listener: (...args: never[]) => void): this
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    registerGrantType(
      name: string,
      handler: (context: ProviderContext) => Promise<void>,
      parameters?: readonly string[],
    ): void
    readonly Client: { find(id: string): Promise<Client | undefined> }
    readonly Grant: {
      new (fields: { readonly accountId: string; readonly clientId: string }): Grant
      find(id: string): Promise<Grant | undefined>
    }
    readonly Session: {
      find(id: string): Promise<Session | undefined>
    }
    readonly Interaction: { find(uid: string): Promise<Interaction | undefined> }
    readonly AccessToken: new (
      fields: Readonly<Record<string, unknown>>,
    ) => AccessToken
    readonly ResourceServer: new (
      identifier: string,
      fields: Readonly<Record<string, unknown>>,
    ) => ResourceServer
    readonly ReplayDetection: { unique(issuer: string, jti: string, expSeconds: number): Promise<boolean> }
  }

  class OIDCProviderError extends Error {
    readonly error: string
    readonly error_description?: string
    readonly statusCode: number
  }

  export const errors: {
    readonly OIDCProviderError: typeof OIDCProviderError
    readonly CustomOIDCProviderError: new (error: string, description: string) => OIDCProviderError
    readonly InvalidClientMetadata: new (description: string) => OIDCProviderError
    readonly UnauthorizedClient: new (description?: string) => OIDCProviderError
    readonly InvalidTarget: new (description?: string) => OIDCProviderError
    readonly InvalidClientAuth: new (detail: string) => OIDCProviderError
    readonly InvalidGrant: new (detail: string) => OIDCProviderError
  }

  export interface PolicyCheck {
    readonly reason: string
  }

  export interface PolicyPrompt {
    readonly name: string
    readonly checks: { add(check: PolicyCheck): void }
  }

  export const interactionPolicy: {
    readonly Check: new (
      reason: string,
      description: string,
      error: string,
      check: (context: ProviderContext) => boolean,
    ) => PolicyCheck
    base(): { get(name: string): PolicyPrompt | undefined }
  }
}
