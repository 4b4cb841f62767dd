/** What is wrong with a token, or with the way it is sent. */
export const TOKEN_CAUSES = {
  token_empty: {
    meaning: 'There is no token in the file.',
    fix: 'Write the token into the file; the command that should have made it may have failed.',
  },
  token_has_header_name: {
    meaning: 'The file holds a whole header line, not the token alone.',
    fix: 'Keep the token alone: what stands behind Authorization: Bearer.',
  },
  token_has_bearer: {
    meaning: 'The token begins with the word Bearer, so a client would send Bearer Bearer.',
    fix: 'Keep the token alone: the client puts Bearer before it.',
  },
  token_has_other_scheme: {
    meaning: 'The token begins with another scheme than Bearer.',
    fix: 'Send Authorization: Bearer <token>, whatever other services call it.',
  },
  token_has_quotes: {
    meaning: 'The token stands in quotes, which are sent with it.',
    fix: 'Take the quotes off, in the file or in the variable that it comes from.',
  },
  token_has_line_break: {
    meaning:
      'A line break stands at the end of the file; a program that sends the file as it is breaks its own header.',
    fix: 'Write the file without it (printf %s), or let the program trim it. Our own @file does.',
  },
  token_has_spaces: {
    meaning: 'There are spaces, line breaks or characters in the token that no token has.',
    fix: 'Copy the token again in one piece: terminals and mail programs break long lines.',
  },
  token_cut: {
    meaning: 'This is the beginning of a JWT, and the rest is missing.',
    fix: 'Copy the whole token: three parts with two dots between them.',
  },
  token_encrypted: {
    meaning: 'The token is encrypted (five parts, JWE), so nobody but its recipient can read it.',
    fix: 'Let the identity provider issue signed access tokens that are not encrypted for this resource.',
  },
  token_opaque: {
    meaning: 'The token is not a JWT: an opaque access token, a refresh token or an API key.',
    fix: 'Send the access token, as a JWT: ask the provider for this API as audience or resource, else many give an opaque one.',
  },
  token_base64: {
    meaning: 'The parts are written in plain base64, and a JWT takes base64url without padding.',
    fix: 'Use a JWT library; with - for +, _ for / and without = it can be read.',
  },
  token_malformed: {
    meaning: 'The token has three parts, and they are not those of a JWT.',
    fix: 'Get a new token: this one was altered, or made by something that is no JWT library.',
  },
  token_too_long: {
    meaning: 'The token is too long to be sent.',
    fix: 'Let the provider put less into it (groups and roles are the usual reason): 16,384 characters are the limit, proxies often have less.',
  },
  algorithm_none: {
    meaning: 'The token says that it is not signed (alg none).',
    fix: 'Get a signed one: everybody can write an unsigned token.',
  },
  algorithm_hmac: {
    meaning:
      'The token is signed with a shared secret (HS…), and the gateway checks with the public keys of a provider.',
    fix: 'Let the provider sign with its own key (RS256, ES256); or set secret in place of jwksUrl or publicKey.',
  },
  algorithm_wrong: {
    meaning: 'The token’s algorithm does not fit the key that it is checked with.',
    fix: 'Let the issuer sign with an algorithm of that key, or correct the key and algorithms of the workspace.',
  },
  header_critical: {
    meaning: 'The token demands an extension (crit) that is not understood here.',
    fix: 'Let the issuer leave crit out.',
  },
  token_type_wrong: {
    meaning: 'The token’s typ says that it is no access token.',
    fix: 'Send the access token: typ is JWT or at+jwt.',
  },
  id_token: {
    meaning: 'This is an ID token: it tells the client who signed in, and opens nothing.',
    fix: 'Send access_token of the same answer in place of id_token.',
  },
  refresh_token: {
    meaning: 'This is a refresh token: it gets new access tokens, and opens nothing itself.',
    fix: 'Exchange it at the token endpoint and send the access_token that comes back.',
  },
  times_in_milliseconds: {
    meaning: 'A time in the token is in milliseconds.',
    fix: 'Let the issuer write exp, nbf and iat in seconds since 1970 (RFC 7519 §2).',
  },
  expiry_missing: {
    meaning: 'The token has no exp: it would be good for ever, and nobody could take it back.',
    fix: 'Let the issuer set exp.',
  },
  token_expired: {
    meaning: 'The token has expired.',
    fix: 'Get a new one, and let the client refresh it. If it is new, compare the clocks.',
  },
  token_not_yet_valid: {
    meaning: 'The token is not valid yet (nbf).',
    fix: 'Wait, or set the clocks of issuer and gateway; clockToleranceSeconds bridges a few seconds.',
  },
  issued_in_future: {
    meaning: 'The token was issued in the future (iat), so its issuer’s clock is ahead.',
    fix: 'Let the issuer’s machine take its time from NTP.',
  },
  issuer_absent: {
    meaning: 'The token names no issuer (iss).',
    fix: 'Let the issuer set iss to its own name.',
  },
  issuer_wrong: {
    meaning: 'The token comes from another issuer than those that are accepted.',
    fix: 'Get the token from the issuer that the metadata names (another realm or tenant is another issuer), or add this one.',
  },
  audience_absent: {
    meaning: 'The token is for nobody in particular (no aud).',
    fix: 'Let the issuer put this service into aud: ask for it with resource or audience, or add an audience mapper.',
  },
  audience_other_workspace: {
    meaning: 'The token was issued for another workspace of this gateway.',
    fix: 'Ask for a token with this workspace’s URL as resource; if the gateway issued it, let it open this workspace too.',
  },
  audience_slash: {
    meaning: 'The token’s audience differs in slashes only, and audiences are compared letter by letter.',
    fix: 'Ask for the token with the resource exactly as the metadata has it.',
  },
  audience_wrong: {
    meaning: 'The token was issued for another service (aud).',
    fix: 'Ask for a token with this service as resource or audience, or correct audience of the workspace.',
  },
  key_id_absent: {
    meaning: 'The token names no key (kid), and keys are chosen by it.',
    fix: 'Let the issuer set kid; or allowMissingKeyId, where the key set has one key.',
  },
  key_id_unknown: {
    meaning: 'The issuer’s key set has no key with the token’s kid.',
    fix: 'The token comes from another realm or tenant, or its key was taken out: get a new token, and check jwksUrl.',
  },
  signature_wrong: {
    meaning: 'The signature does not fit the key: another key signed the token, or it was altered.',
    fix: 'Get a new token from the right realm or tenant; with a shared secret or a PEM, see that both sides have the same.',
  },
  subject_missing: {
    meaning: 'No claim of the token says who the caller is.',
    fix: 'Let the issuer set sub, or name the claim that does with userIdClaim.',
  },
  scope_missing: {
    meaning: 'The token is good and lacks a scope that the call needs.',
    fix: 'Ask for these scopes when getting the token, and let the issuer grant them to this client.',
  },
  token_revoked: {
    meaning: 'The token or API key was revoked, or this gateway does not know it any more.',
    fix: 'Issue a new one (gatehouse token create, gatehouse key create) and give the client that.',
  },
  token_not_associated: {
    meaning: 'This gateway issued the token or API key, and it does not open this workspace.',
    fix: 'Add this workspace to those that it opens (gatehouse token --help), or issue one for it.',
  },
  api_key_refused: {
    meaning: 'This is not an API key that the gateway knows.',
    fix: 'Copy it again in one piece; a key is shown once, so if it is lost issue another (gatehouse key create).',
  },
  authorization_stripped: {
    meaning: 'The Authorization header was sent and did not arrive: something on the way strips it.',
    fix: 'Let the proxy pass Authorization on (nginx: proxy_set_header Authorization $http_authorization; Apache: CGIPassAuth, SetEnvIf).',
  },
  token_not_checked: {
    meaning: 'A token was sent and nobody looks at it: everybody may call without one.',
    fix: 'Set auth of the workspace to jwt with a key; or leave the token out, if that is meant.',
  },
  keys_unreachable_for_gateway: {
    meaning: 'The gateway cannot fetch its identity provider’s keys, so it lets nobody in.',
    fix: 'See gatehouse logs: the network, the certificate or jwksUrl between the gateway and the provider.',
  },
  token_refused: {
    meaning: 'The token is refused, and nothing that can be seen from here says why.',
    fix: 'Ask the gateway’s operator to run gatehouse doctor --workspace with it, or to look for the request in gatehouse logs.',
  },
} as const
