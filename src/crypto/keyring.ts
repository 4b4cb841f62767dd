import { hkdfSync } from 'node:crypto'
import { GatewayError } from '../errors.ts'
import { sha256 } from './hash.ts'

const SECRET_LENGTH_MIN = 32

/** The keys of this installation, all derived from one master secret with HKDF-SHA-256 (RFC 5869). */
export interface Keyring {
  /** Names the sealing key without telling anything about it. */
  readonly keyId: string
  /** 32 bytes, for `seal` and `unseal`. */
  readonly sealingKey: Uint8Array
  /** 32 bytes for another purpose; the same purpose gives the same key. */
  derive(purpose: string): Uint8Array
}

/**
 * The keyring of a master secret.
 *
 * @throws GatewayError `config_invalid` when the secret has fewer than 32 characters.
 */
export function createKeyring(masterSecret: string): Keyring {
  if (masterSecret.length < SECRET_LENGTH_MIN) {
    throw new GatewayError(
      'config_invalid',
      `ENCRYPTION_KEY has ${masterSecret.length} characters and needs at least ${SECRET_LENGTH_MIN}. Make one with: openssl rand -base64 48`,
    )
  }
  const derive = (purpose: string) => new Uint8Array(hkdfSync('sha256', masterSecret, 'gatehouse', purpose, 32))
  const sealingKey = derive('seal')
  const keyId = sha256(Buffer.from(derive('key id')).toString('base64url')).slice(0, 8)
  return { keyId, sealingKey, derive }
}
