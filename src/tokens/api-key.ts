import { sha256 } from '../crypto/hash.ts'
import { randomSecret } from '../crypto/random.ts'

/** Every API key of ours begins so: scanners of secrets know such shapes, and so does `records/redact.ts`. */
const PREFIX = 'mcp_sk_'
/** 32 random bytes, base64url. */
const SHAPE = /^mcp_sk_[A-Za-z0-9_-]{43}$/
/** What looks like an API key, ours or not. No JWT looks like it: those begin with `eyJ`. */
const ANY_API_KEY = /^(?:mcp_)?sk_/

/** A new API key: 256 random bits. */
export function makeApiKey(): string {
  return PREFIX + randomSecret(32)
}

/** Whether the text wants to be an API key and not a JWT. */
export function looksLikeApiKey(text: string): boolean {
  return ANY_API_KEY.test(text)
}

/**
 * What an API key is found by, undefined for a text that is none of ours. A hash without salt or stretching is enough for
 * 256 random bits: there is nothing to guess. Nor does the time of a lookup by hash tell anything about a key.
 */
export function apiKeyHash(text: string): string | undefined {
  return SHAPE.test(text) ? sha256(text) : undefined
}
