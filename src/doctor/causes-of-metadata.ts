/** What keeps a client from finding out where to sign in. */
export const METADATA_CAUSES = {
  challenge_missing: {
    meaning:
      'The 401 has no WWW-Authenticate, so clients do not learn where to sign in: something on the way strips it.',
    fix: 'Let the proxy pass WWW-Authenticate on; some replace the whole answer of a 401 by a page of their own.',
  },
  metadata_missing: {
    meaning: 'The challenge names no metadata, and there is none at the well-known address.',
    fix: 'Let the proxy pass /.well-known/oauth-protected-resource/… on to the gateway (RFC 9728). A client with a token of its own needs no metadata.',
  },
  metadata_elsewhere: {
    meaning: 'The challenge sends clients to the metadata at another host, which is not the one they called.',
    fix: 'Set publicUrl (PUBLIC_URL) to the address that clients use.',
  },
  metadata_over_http: {
    meaning: 'The endpoint is https and its challenge sends clients to an http address.',
    fix: 'Set publicUrl (PUBLIC_URL) to the https address that clients use: behind TLS the gateway cannot know it.',
  },
  metadata_unreachable: {
    meaning: 'The metadata that the challenge names cannot be fetched.',
    fix: 'Let the proxy pass /.well-known/ on to the gateway, without a sign-in of its own.',
  },
  metadata_invalid: {
    meaning: 'The metadata is not a JSON object as RFC 9728 has it.',
    fix: 'Something else answers at that address: let the proxy pass /.well-known/oauth-protected-resource on to the gateway.',
  },
  resource_slash: {
    meaning: 'The metadata is about the same URL with other slashes, and clients compare letter by letter.',
    fix: 'Write the client’s URL exactly as the metadata’s resource has it.',
  },
  resource_mismatch: {
    meaning: 'The metadata is about another URL than the one that was called.',
    fix: 'Give clients the URL that the metadata’s resource names, or set publicUrl to the address that clients use.',
  },
  issuer_over_http: {
    meaning: 'An authorization server’s address is http on a public host: anybody on the way could sign people in.',
    fix: 'Give the identity provider an https address and set issuer to it.',
  },
  issuer_unreachable: {
    meaning: 'The authorization server that the metadata names cannot be reached.',
    fix: 'Start it or correct issuer; it must be reachable for the clients too, not only for the gateway.',
  },
  issuer_metadata_missing: {
    meaning:
      'The authorization server has no metadata at any of its well-known addresses (RFC 8414, OpenID discovery).',
    fix: 'Correct issuer: for Keycloak it ends in /realms/<realm>, for Entra in /v2.0. It is the iss of the tokens.',
  },
  issuer_slash: {
    meaning: 'Issuers differ in a slash at the end only, and they are compared letter by letter.',
    fix: 'Write issuer exactly as the identity provider’s metadata and tokens have it.',
  },
  issuer_mismatch: {
    meaning: 'The authorization server calls itself by another name than the metadata does.',
    fix: 'Set issuer to the name that the identity provider’s own metadata has; behind a proxy, correct the provider’s public address.',
  },
  keys_missing: {
    meaning: 'The identity provider’s metadata names no key set (jwks_uri).',
    fix: 'Use a provider that signs tokens with public keys, or set secret or publicKey.',
  },
  keys_unreachable: {
    meaning: 'The key set of the identity provider cannot be fetched, so no token can be checked.',
    fix: 'Open jwksUrl from the gateway’s machine: correct the address, the firewall or the certificate.',
  },
  keys_unusable: {
    meaning: 'The key set has no key that signatures could be checked with.',
    fix: 'Let the provider publish signing keys: RSA from 2048 bits, P-256, P-384, P-521 or Ed25519, public halves only.',
  },
  pkce_missing: {
    meaning: 'The authorization server does not offer PKCE with S256, without which MCP clients do not sign in.',
    fix: 'Switch PKCE with S256 on at the identity provider (code_challenge_methods_supported).',
  },
} as const
