/** What a workspace says about itself as a protected resource. */
export interface ProtectedResource {
  /** The workspace's URL, exactly as clients are given it. */
  readonly resource: string
  readonly name: string
  /** Issuers that can be asked for a token. */
  readonly authorizationServers: readonly string[]
  /** Of DPoP proofs; empty: tokens cannot be bound to keys here (RFC 9449 §10). */
  readonly proofAlgorithms?: readonly string[]
  /** What a client asks for that was told of nothing closer. Default: none. */
  readonly scopes?: readonly string[]
}

export const RESOURCE_METADATA_PATH = '/.well-known/oauth-protected-resource'

/** The protected-resource metadata document (RFC 9728 §2). Without an authorization server the member is left out, as §2 asks of empty lists. */
export function resourceMetadata({
  resource,
  name,
  authorizationServers,
  scopes = [],
  proofAlgorithms = [],
}: ProtectedResource): Record<string, unknown> {
  return {
    resource,
    ...(authorizationServers.length > 0 ? { authorization_servers: authorizationServers } : {}),
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
    ...(proofAlgorithms.length > 0 ? { dpop_signing_alg_values_supported: proofAlgorithms } : {}),
    bearer_methods_supported: ['header'],
    resource_name: name,
  }
}

/** Where we serve the metadata of a resource: the well-known part goes between our own address and its path (RFC 9728 §3.1). */
export function resourceMetadataUrl(publicUrl: string, path: string): string {
  return `${publicUrl}${RESOURCE_METADATA_PATH}${path}`
}
