import { createPrivateKey, type KeyObject } from 'node:crypto'
import { importPKCS8 } from 'jose'
import { type ClientAuth, ClientSecretBasic, ClientSecretPost, PrivateKeyJwt } from 'openid-client'
import { GatewayError } from '../../errors.ts'

export interface ClientCredential {
  readonly id: string
  readonly clientSecret?: string | undefined
  readonly privateKey?: string | undefined
  readonly privateKeyId?: string | undefined
}

/**
 * How we prove at the token endpoint who we are (RFC 6749 §2.3, RFC 7523 §2.2).
 *
 * @throws GatewayError `config_invalid` for a key that cannot be used.
 */
export function clientAuthOf({
  id,
  clientSecret,
  privateKey,
  privateKeyId,
}: ClientCredential): () => Promise<ClientAuth> {
  if (privateKey === undefined) {
    const bySecret = secretAuth(clientSecret ?? '')
    return async () => bySecret
  }
  const key = readKey(privateKey, id)
  const alg = algorithmOf(key, id)
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return async () => {
    const imported = await importPKCS8(pem, alg)
    return PrivateKeyJwt(privateKeyId === undefined ? imported : { key: imported, kid: privateKeyId })
  }
}

/** In the body where the provider takes that, as most do; else in the header, which is what it takes if it does not say (RFC 8414 §2). */
function secretAuth(secret: string): ClientAuth {
  const inBody = ClientSecretPost(secret)
  const inHeader = ClientSecretBasic(secret)
  return (server, client, body, headers) => {
    const takesBody = server.token_endpoint_auth_methods_supported?.includes('client_secret_post') === true
    return (takesBody ? inBody : inHeader)(server, client, body, headers)
  }
}

function readKey(pem: string, id: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // What the parser says could quote the key.
    throw new GatewayError('config_invalid', `oauth.providers: privateKey of ${id} is not a private key in PEM.`)
  }
}

function algorithmOf(key: KeyObject, id: string): string {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) return 'RS256'
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519'
  const byCurve: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
  const alg = key.asymmetricKeyType === 'ec' ? byCurve[namedCurve ?? ''] : undefined
  if (alg !== undefined) return alg
  throw new GatewayError(
    'config_invalid',
    `oauth.providers: privateKey of ${id} must be RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519.`,
  )
}
