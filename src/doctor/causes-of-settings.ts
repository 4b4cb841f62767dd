/** What only the operator can see: the settings themselves are wrong. */
export const SETTINGS_CAUSES = {
  workspace_not_served: {
    meaning: 'The workspace cannot be served as it is set, so its URL is 404.',
    fix: 'The log of the start says why: correct that setting, or import the document again.',
  },
  public_url_missing: {
    meaning: 'publicUrl is not set and clients use another address than the one that the gateway listens on.',
    fix: 'Set publicUrl (PUBLIC_URL) to the address that clients use: challenges and metadata are made from it.',
  },
  public_url_differs: {
    meaning: 'Clients use another address than publicUrl, and metadata is about that one.',
    fix: 'Give clients publicUrl, or set publicUrl to what they use.',
  },
  public_url_over_http: {
    meaning: 'publicUrl is http on a public host: tokens can be read on the way.',
    fix: 'Put TLS in front and set publicUrl to the https address.',
  },
  settings_issuer_over_http: {
    meaning: 'issuer is http on a public host, so clients are not sent there to sign in.',
    fix: 'Give the identity provider an https address and set issuer to it.',
  },
  limits_behind_proxy: {
    meaning:
      'Limits count by address, and behind a proxy that is not trusted every caller has the proxy’s: one bad client locks out all.',
    fix: 'Name the proxy in trustProxy, or leave failedAuth and maxRequestsPerAddress out.',
  },
} as const
