import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { GatewayError } from '../errors.ts'
import type { Keyring } from './keyring.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const VERSION = 'v1'

/**
 * Seals a text with AES-256-GCM under the keyring's sealing key: `v1.<key id>.<nonce + ciphertext + tag, base64url>`.
 *
 * `row` names the row and column that the text belongs to. It is authenticated, so a ciphertext that is moved to another
 * row no longer opens. Every call takes a fresh random 96-bit nonce (NIST SP 800-38D §8.2.2).
 */
export function seal(keyring: Keyring, row: string, text: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keyring.sealingKey, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(row))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `${VERSION}.${keyring.keyId}.${sealed.toString('base64url')}`
}

/**
 * Opens what `seal` made for the same row.
 *
 * @throws GatewayError `internal` when the key, the row or the ciphertext is another one; the message says nothing of the content.
 */
export function unseal(keyring: Keyring, row: string, sealed: string): string {
  const [version, keyId, body, ...more] = sealed.split('.')
  if (version !== VERSION || keyId === undefined || body === undefined || more.length > 0) {
    throw unreadable(row, 'not a sealed value')
  }
  if (keyId !== keyring.keyId) throw unreadable(row, `sealed under key ${keyId}, this is ${keyring.keyId}`)
  const bytes = Buffer.from(body, 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw unreadable(row, 'cut short')
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', keyring.sealingKey, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(row))
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch (error) {
    throw unreadable(row, error)
  }
}

function unreadable(row: string, reason: unknown): GatewayError {
  return new GatewayError('internal', 'A stored secret cannot be read.', { cause: new Error(row, { cause: reason }) })
}
