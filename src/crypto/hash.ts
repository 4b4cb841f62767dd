import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** SHA-256 of the text's UTF-8 bytes, base64url. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** HMAC-SHA-256 of the text under the key, base64url. */
export function hmacSha256(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

/** Whether two texts are equal, in a time that depends on neither's content: both are hashed first, so lengths are hidden too. */
export function equalInConstantTime(left: string, right: string): boolean {
  const leftHash = createHash('sha256').update(left).digest()
  const rightHash = createHash('sha256').update(right).digest()
  return timingSafeEqual(leftHash, rightHash)
}
