import { randomBytes } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** A random lower-case id from the operating system's generator: 5 bits a character, so 16 characters are 80 bits. */
export function randomId(length: number): string {
  const bytes = randomBytes(length)
  let id = ''
  for (const byte of bytes) id += ALPHABET.charAt(byte & 31)
  return id
}

/** `bytes` random bytes, base64url without padding. */
export function randomSecret(bytes = 32): string {
  return randomBytes(bytes).toString('base64url')
}
