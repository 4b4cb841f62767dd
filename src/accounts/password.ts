import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../errors.ts'

/** OWASP Password Storage Cheat Sheet, argon2id; memory in KiB. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const
const SALT_BYTES = 16
const HASH_BYTES = 32
/** Each takes 19 MiB and a thread of the four that also verify signatures. */
const RUNNING_MAX = 2
/** About a second and a half of work: who comes later is told to. */
const WAITING_MAX = 64

const LENGTH_MIN = 12
const BYTES_MAX = 1024

/** A password in the form in which it is kept: argon2id (RFC 9106), as PHC text with its parameters and its salt. */
export type PasswordHash = string

/**
 * Says why this cannot be the password of the person with this e-mail; undefined: it can.
 *
 * Length is what counts (NIST SP 800-63B-4 §3.1.1.2): no rules of composition.
 */
export function passwordProblem(password: string, email: string): string | undefined {
  if ([...password].length < LENGTH_MIN) return `A password has at least ${LENGTH_MIN} characters.`
  if (isTooLong(password)) return `A password has at most ${BYTES_MAX} bytes.`
  const [plain, address] = [password.trim().toLowerCase(), email.trim().toLowerCase()]
  if (plain === address || plain === address.split('@')[0]) return 'A password is not the e-mail address.'
  return undefined
}

/**
 * Hashes and compares passwords, two at a time: a flood of sign-ins waits in a bounded queue and cannot take the memory.
 *
 * Every call may throw a GatewayError `rate_limited` when the queue is full.
 */
export class Passwords {
  #running = 0
  readonly #waiting: (() => void)[] = []
  /** Of a password that nobody knows, for people who are not there. */
  readonly #nobody: PasswordHash = phcText(randomBytes(SALT_BYTES), randomBytes(HASH_BYTES))

  /** Does not ask whether the password is good; see `passwordProblem`. */
  async hash(password: string): Promise<PasswordHash> {
    const salt = randomBytes(SALT_BYTES)
    return phcText(salt, await this.#derive(password, { ...COST, salt, length: HASH_BYTES }))
  }

  /** Whether this is the password. Without a hash it costs the same and the answer is no. */
  async verify(password: string, kept: PasswordHash | undefined): Promise<boolean> {
    // Longer than any password that was accepted: the same answer for everybody, so it tells nothing.
    if (isTooLong(password)) return false
    const { hash, ...parameters } = parsePhc(kept ?? this.#nobody)
    const derived = await this.#derive(password, { ...parameters, length: hash.length })
    return timingSafeEqual(derived, hash) && kept !== undefined
  }

  async #derive(password: string, parameters: Parameters): Promise<Buffer> {
    await this.#turn()
    try {
      return await argon2id(password, parameters)
    } finally {
      // Whoever waits takes this place over: nobody can slip in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < RUNNING_MAX) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= WAITING_MAX) {
      throw new GatewayError('rate_limited', 'Too many people sign in at once. Try again in 2 s.', {
        retryAfterSeconds: 2,
      })
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

interface Parameters {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
  readonly length: number
}

function argon2id(password: string, { salt, length, ...cost }: Parameters): Promise<Buffer> {
  // One way to write each letter, whatever the keyboard sends (NIST SP 800-63B-4 §3.1.1.2).
  const message = Buffer.from(password.normalize('NFC'))
  return new Promise((resolve, reject) => {
    argon2('argon2id', { ...cost, message, nonce: salt, tagLength: length }, (error, derived) => {
      if (error === null) resolve(derived)
      else reject(error)
    })
  })
}

/** The PHC string format: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, base64 without padding. */
function phcText(salt: Buffer, hash: Buffer): PasswordHash {
  const { memory, passes, parallelism } = COST
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`
}

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,128})$/

function parsePhc(text: PasswordHash): Omit<Parameters, 'length'> & { readonly hash: Buffer } {
  const [, memory, passes, parallelism, salt, hash] = PHC.exec(text) ?? []
  if (salt === undefined || hash === undefined) {
    throw new GatewayError('internal', 'Internal error', { cause: 'a stored password hash is not readable' })
  }
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

function isTooLong(password: string): boolean {
  return Buffer.byteLength(password) > BYTES_MAX
}
