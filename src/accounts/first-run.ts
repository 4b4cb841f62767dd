import { equalInConstantTime, sha256 } from '../crypto/hash.ts'
import { randomId } from '../crypto/random.ts'

const LIFETIME_MS = 3_600_000
/** 55 random bits: a few guesses find none. */
const LENGTH = 11
const GUESSES_MAX = 5

/**
 * The one-time code that makes the first owner (THREATS.md, T32): shown on the terminal, kept as a hash and in memory only.
 * It ends with its use, after an hour, after five wrong guesses, and when another takes its place.
 */
export class FirstRunCode {
  readonly #now: () => number
  #code: { readonly hash: string; readonly expiresAt: number; guessesLeft: number } | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  /** A new code; one that was made before is worth nothing any more. */
  make(): string {
    const code = randomId(LENGTH)
    this.#code = { hash: sha256(code), expiresAt: this.#now() + LIFETIME_MS, guessesLeft: GUESSES_MAX }
    return `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8)}`
  }

  /** Whether this is the code. A wrong one counts, and the fifth burns it. */
  matches(given: string): boolean {
    const code = this.#code
    if (code === undefined) return false
    const isRight = equalInConstantTime(sha256(given.toLowerCase().replace(/[\s-]/g, '')), code.hash)
    if (!isRight) code.guessesLeft -= 1
    if (code.guessesLeft <= 0 || this.#now() >= code.expiresAt) this.end()
    return isRight && this.#code !== undefined
  }

  end(): void {
    this.#code = undefined
  }
}
