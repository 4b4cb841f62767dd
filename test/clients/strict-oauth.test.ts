import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { insecure, REDIRECT, StrictClient } from '../flows/oauth-client.ts'
import { ADA, Browser, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'

// It stops at whatever is not as the RFCs have it: types, headers, statuses, claims, signatures.
suite('oauth4webapi 3.8, the strictest checker of the field, finds nothing wrong with', () => {
  const secrets = [
    { name: 'a public client', metadata: { token_endpoint_auth_method: 'none' } },
    { name: 'a client with a secret', metadata: { token_endpoint_auth_method: 'client_secret_basic' } },
  ] as const
  for (const { name, metadata } of secrets) {
    test(`${name}: discovery, registration, code, refresh, userinfo and revocation`, async () => {
      await using stand = await startOAuthStand()
      const strict = await StrictClient.register(stand, metadata)
      const { server, client, auth } = strict
      const tokens = await strict.connect({ scope: 'mcp openid email profile' })
      const refreshed = await strict.refresh(tokens.refreshToken)

      const info = await oauth.userInfoRequest(server, client, refreshed.accessToken, insecure)
      const claims = await oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck, info)
      assert.equal(claims.email, ADA)

      for (const token of [refreshed.refreshToken, refreshed.accessToken, 'nobody’s']) {
        await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, insecure))
      }
      await assert.rejects(strict.refresh(refreshed.refreshToken), { error: 'invalid_grant' })
      const after = await oauth.userInfoRequest(server, client, refreshed.accessToken, insecure)
      await assert.rejects(
        oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck, after),
        oauth.WWWAuthenticateChallengeError,
      )
    })
  }

  test('the ID token of an OpenID Connect client: nonce, issuer, audience, signature', async () => {
    await using stand = await startOAuthStand()
    const strict = await StrictClient.register(stand)
    const { server, client, auth } = strict
    const nonce = oauth.generateRandomNonce()
    const { url, verifier, state } = await strict.request({ scope: 'mcp openid', params: { nonce } })
    const back = await signInAndAllow(new Browser(stand.gateway.url), url)
    const checked = oauth.validateAuthResponse(server, client, back, state)
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      auth,
      checked,
      REDIRECT,
      verifier,
      insecure,
    )
    const answer = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    })
    await oauth.validateApplicationLevelSignature(server, response, insecure)
    assert.equal(oauth.getValidatedIdTokenClaims(answer)?.aud, client.client_id)
  })

  test('the access token as a resource server of its own would check it (RFC 9068)', async () => {
    await using stand = await startOAuthStand()
    const strict = await StrictClient.register(stand)
    const { accessToken } = await strict.connect()
    const request = new Request(stand.endpoint, { headers: { authorization: `Bearer ${accessToken}` } })
    const claims = await oauth.validateJwtAccessToken(strict.server, request, stand.endpoint, insecure)
    assert.equal(claims.scope, 'mcp refunds:read')
    await assert.rejects(oauth.validateJwtAccessToken(strict.server, request, `${stand.endpoint}/other`, insecure))
  })

  test('the challenge of a workspace, and the errors of the token endpoint', async () => {
    await using stand = await startOAuthStand()
    const { server, client, auth } = await StrictClient.register(stand)
    await assert.rejects(
      oauth.protectedResourceRequest('nobodys', 'POST', new URL(stand.endpoint), undefined, '{}', insecure),
      (error: unknown) =>
        error instanceof oauth.WWWAuthenticateChallengeError && error.cause[0]?.parameters['error'] === 'invalid_token',
    )
    const refused = await oauth.refreshTokenGrantRequest(server, client, auth, 'nobodys', insecure)
    await assert.rejects(oauth.processRefreshTokenResponse(server, client, refused), { error: 'invalid_grant' })
  })
})
