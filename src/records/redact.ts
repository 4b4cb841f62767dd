/** What becomes of arguments in a record: values with secrets taken out, the names of the arguments, or nothing. */
export type ArgumentsMode = 'redacted' | 'names' | 'none'

/** What stands in a secret's place. */
export const REDACTED = '[redacted]'

const TEXT_LENGTH_MAX = 2000
const STRING_LENGTH_MAX = 200
/** A longer text is cut here before it is searched, so that a megabyte costs no more than this. */
const SEARCHED_LENGTH_MAX = 4 * STRING_LENGTH_MAX
const KEY_LENGTH_MAX = 100
/** More than is shown, so that no end of a name can hide behind its beginning. */
const NAME_LENGTH_SEARCHED = 2000
const ITEMS_MAX = 20
const DEPTH_MAX = 6
/** Kept free for the mark of a cut and the closing brackets. */
const RESERVE = 40

/** Anywhere in a name, once everything but letters and digits is gone: `accessToken`, `X-API-Key`, `user_password`. */
const SECRET_PART =
  /passw|passphrase|passcode|pwd|secret|token|apikey|accesskey|authoriz|authoris|credential|cookie|session|privatekey|signingkey|encryptionkey|bearer|signature|creditcard|cardnumber|accountnumber|securitycode|otpcode|onetimecode/
/** As a whole word of a name only, since they are parts of harmless words (`shipping`, `discard`, `authors`). */
const SECRET_WORD =
  /(?:^|_)(?:pin|pins|otp|totp|mfa|ssn|sin|card|cards|cvv|cvc|cvv2|iban|auth|jwt|pass|pw|sid|key|keys|pan|pem|mnemonic)(?:_|$)/

const SECRET_SHAPES: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*/g,
  /\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}/g,
  /\bbearer\s+[\w.~+/=-]{6,}/gi,
  // With a digit or a sign: `token expired` and `basic settings` are words.
  /\b(?:basic|digest|token)\s+(?=[a-z]*[\d+/=_])[\w.~+/=-]{6,}/gi,
  // Keys that say what they are: Stripe, Gatehouse, GitHub, GitLab, Slack, AWS, Google, npm, Hugging Face, OpenAI …
  /\b(?:mcp_|[a-z]{2}_)?(?:sk|pk|rk|whsec)[_-][\w-]{6,}/gi,
  /\b(?:gh[opusr]_|github_pat_|glpat-|xox[a-z]-|xapp-|npm_|hf_|shp(?:at|ss|ca|pa)_|dop_v1_|pypi-|ya29\.|SG\.|AIza|AKIA|ASIA)[\w.-]{6,}/g,
  // `password=…`, `"token": "…"`, `?api_key=…` inside a text.
  /(?:passw(?:or)?d|pwd|secret|token|api[-_ ]?key|authorization|credentials?|cookie|session(?:[-_ ]?id)?)["']?\s*[:=]\s*["']?[^\s"'&;,}]+/gi,
  // user:password@ in an address.
  /:\/\/[^\s/@:]*:[^\s/@]+@/g,
  /\b[0-9a-f]{64,}\b/gi,
]
/** Every text that one of the shapes or a long run matches matches this too; most texts do not, and are done. */
const MAY_HOLD_SECRET = /[:=_/+-]|[\w.]{10}|eyJ|ya29\.|SG\.|bearer|basic|digest|token/i
/** Long and mixed, as keys are and words are not. */
const LONG_RUN = /[A-Za-z0-9_+/=-]{32,}/g
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Arguments as JSON text of at most 2,000 characters, for a record. Values under names that look secret, and texts that
 * look like credentials, are replaced by `[redacted]`. Strings are cut at 200 characters, lists at 20 items, depth at 6.
 * In mode `names` a list of the arguments' names, in mode `none` nothing. Never throws.
 */
export function redactArguments(args: unknown, mode: ArgumentsMode = 'redacted'): string | undefined {
  if (mode === 'none') return undefined
  try {
    const shown = mode === 'names' ? namesOf(args) : args
    return new Redactor().write(shown)
  } catch {
    // A getter that throws, for instance: the record is worth more than its arguments.
    return JSON.stringify('[unreadable]')
  }
}

/** The text with everything that looks like a credential replaced, at most 200 characters of it or `lengthMax`. */
export function redactText(text: string, lengthMax = STRING_LENGTH_MAX): string {
  let redacted = text.slice(0, Math.max(SEARCHED_LENGTH_MAX, 2 * lengthMax))
  if (MAY_HOLD_SECRET.test(redacted)) {
    for (const shape of SECRET_SHAPES) redacted = redacted.replace(shape, REDACTED)
    redacted = redacted.replace(LONG_RUN, (run) => (looksRandom(run) ? REDACTED : run))
  }
  return redacted.length <= lengthMax ? redacted : `${redacted.slice(0, lengthMax - 1)}…`
}

const KNOWN_NAMES_MAX = 5000
/** Names of arguments repeat, and judging one takes a microsecond. */
const knownNames = new Map<string, boolean>()

/** Whether values under this name are secrets, judged by the name alone. Case, camel case and separators do not matter. */
export function isSecretName(name: string): boolean {
  const known = knownNames.get(name)
  if (known !== undefined) return known
  const isSecret = judgeName(name)
  if (knownNames.size >= KNOWN_NAMES_MAX) knownNames.clear()
  if (name.length <= NAME_LENGTH_SEARCHED) knownNames.set(name, isSecret)
  return isSecret
}

function judgeName(name: string): boolean {
  const words = name
    .slice(0, NAME_LENGTH_SEARCHED)
    .normalize('NFKC')
    .replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase()
  return SECRET_WORD.test(words) || SECRET_PART.test(words.replaceAll('_', ''))
}

function looksRandom(run: string): boolean {
  return /\d/.test(run) && /[a-z]/.test(run) && /[A-Z]/.test(run) && !UUID.test(run)
}

function namesOf(args: unknown): unknown {
  return typeof args === 'object' && args !== null && !Array.isArray(args) ? Object.keys(args) : []
}

/** Writes JSON text piece by piece, so that a huge value costs no more than what is kept of it. */
class Redactor {
  #text = ''

  write(value: unknown): string {
    this.#value(value, 0)
    return this.#text
  }

  #value(value: unknown, depth: number): void {
    if (typeof value === 'string') this.#text += JSON.stringify(redactText(value))
    else if (typeof value === 'number' || typeof value === 'boolean' || value === null) {
      this.#text += JSON.stringify(value)
    } else if (typeof value === 'bigint') this.#text += String(value)
    else if (typeof value !== 'object') this.#text += JSON.stringify(`[${typeof value}]`)
    else if (depth >= DEPTH_MAX) this.#text += JSON.stringify('[deeper]')
    else if (Array.isArray(value)) this.#list(value, depth)
    else this.#object(value, depth)
  }

  #list(list: readonly unknown[], depth: number): void {
    this.#text += '['
    for (let index = 0; index < list.length; index++) {
      if (index > 0) this.#text += ','
      const before = this.#text
      if (index < ITEMS_MAX) this.#value(list[index], depth + 1)
      if (index < ITEMS_MAX && this.#fits()) continue
      this.#text = `${before}"[${list.length - index} more]"`
      break
    }
    this.#text += ']'
  }

  #object(object: object, depth: number): void {
    this.#text += '{'
    const namesSecret = namesSecretValue(object)
    let count = 0
    for (const [key, value] of Object.entries(object)) {
      if (count++ > 0) this.#text += ','
      const before = this.#text
      this.#text += `${JSON.stringify(redactText(key, KEY_LENGTH_MAX))}:`
      if (isSecretName(key) || (namesSecret && isValueName(key))) this.#text += JSON.stringify(REDACTED)
      else this.#value(value, depth + 1)
      if (this.#fits()) continue
      this.#text = `${before}"…":"[more]"`
      break
    }
    this.#text += '}'
  }

  #fits(): boolean {
    return this.#text.length <= TEXT_LENGTH_MAX - RESERVE
  }
}

/** `{ name: 'Authorization', value: '…' }`: the name of the secret stands beside it. */
function namesSecretValue(object: object): boolean {
  for (const name of ['name', 'key', 'header', 'field']) {
    const value: unknown = Reflect.get(object, name)
    if (typeof value === 'string' && isSecretName(value)) return true
  }
  return false
}

function isValueName(key: string): boolean {
  return /^(?:value|values|val|content|data|text|default)$/i.test(key)
}
