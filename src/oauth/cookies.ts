import { equalInConstantTime, hmacSha256 } from '../crypto/hash.ts'
import type { Keyring } from '../crypto/keyring.ts'

/** What the library calls its cookies. No browser ever sees these names. */
export const LIBRARY_COOKIES = { session: 'session', interaction: 'interaction', resume: 'resume' } as const

/** Sign-ins that one browser may have under way; the oldest make room. */
const FLOWS_MAX = 8

const COOKIE = /^[\w!#$%&'*+.^`|~-]+$/

/** A sign-in under way is as good as its cookie for so long, seconds. */
export const FLOW_SECONDS = 900
/** The session of a browser, after its last use. */
export const SESSION_SECONDS = 12 * 3_600

/**
 * Our cookies, in place of the library's. Over https they are `__Host-` ones: no other host of the same domain can set them
 * (THREATS.md, T6), which the library cannot do, as it binds its own to paths. Over http, so on loopback only, they have
 * neither the prefix nor `Secure`.
 */
export class Cookies {
  readonly #key: Uint8Array
  readonly #isSecure: boolean
  readonly #prefix: string

  constructor(keyring: Keyring, publicUrl: string) {
    this.#key = keyring.derive('oauth browser')
    this.#isSecure = publicUrl.startsWith('https:')
    this.#prefix = this.#isSecure ? '__Host-gatehouse' : 'gatehouse'
  }

  /** The session that the browser shows; undefined: none. */
  sessionOf(header: string | undefined): string | undefined {
    return cookiesIn(header).get(`${this.#prefix}-session`)
  }

  /** Whether the sign-in with this id was begun in this browser. */
  holdsFlow(header: string | undefined, uid: string): boolean {
    const shown = cookiesIn(header).get(this.#flowName(uid))
    return shown !== undefined && equalInConstantTime(shown, this.#proofOf(uid))
  }

  /** The `Cookie` header for the library. `uid`: the sign-in that the path names. */
  toLibrary(header: string | undefined, uid: string | undefined): Readonly<Record<string, string>> {
    const session = this.sessionOf(header)
    const parts = session === undefined || !COOKIE.test(session) ? [] : [`${LIBRARY_COOKIES.session}=${session}`]
    if (uid !== undefined && this.holdsFlow(header, uid)) {
      parts.push(`${LIBRARY_COOKIES.interaction}=${uid}`, `${LIBRARY_COOKIES.resume}=${uid}`)
    }
    return parts.length === 0 ? {} : { cookie: parts.join('; ') }
  }

  /** What the library sets, as we set it. `uid`: the sign-in that the path named, and that is over. */
  fromLibrary(set: readonly string[], header: string | undefined, uid: string | undefined): readonly string[] {
    const ours: string[] = []
    for (const line of set) {
      const [, name, value = '', attributes = ''] = /^([^=]+)=([^;]*)(.*)$/s.exec(line) ?? []
      const expires = /;\s*(expires=[^;]+)/i.exec(attributes)?.[1]
      if (name === LIBRARY_COOKIES.session) {
        ours.push(this.#set(`${this.#prefix}-session`, value, expires))
      } else if (name === LIBRARY_COOKIES.interaction && value !== '') {
        ours.push(this.#set(this.#flowName(value), this.#proofOf(value), `max-age=${FLOW_SECONDS}`))
        ours.push(...this.#oldFlows(header))
      }
    }
    if (uid !== undefined) ours.push(this.#set(this.#flowName(uid), '', 'max-age=0'))
    return ours
  }

  /** Ends the session in this browser. */
  forgetSession(): string {
    return this.#set(`${this.#prefix}-session`, '', 'max-age=0')
  }

  /** A value for a form that only we can make, for one purpose of one sign-in or session (THREATS.md, T6). */
  formKey(id: string, purpose: string): string {
    return hmacSha256(this.#key, `form ${purpose} ${id}`)
  }

  isFormKey(shown: string, id: string, purpose: string): boolean {
    return equalInConstantTime(shown, this.formKey(id, purpose))
  }

  #proofOf(uid: string): string {
    return hmacSha256(this.#key, `flow ${uid}`)
  }

  /** The name tells nothing of the id: a part of its hash. */
  #flowName(uid: string): string {
    return `${this.#prefix}-flow-${hmacSha256(this.#key, `name ${uid}`).slice(0, 12)}`
  }

  #oldFlows(header: string | undefined): readonly string[] {
    const names = [...cookiesIn(header).keys()].filter((name) => name.startsWith(`${this.#prefix}-flow-`))
    return names.slice(0, Math.max(0, names.length - FLOWS_MAX + 1)).map((name) => this.#set(name, '', 'max-age=0'))
  }

  #set(name: string, value: string, ends: string | undefined): string {
    const parts = [`${name}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Lax']
    if (this.#isSecure) parts.push('Secure')
    if (ends !== undefined) parts.push(ends)
    return parts.join('; ')
  }
}

/** RFC 6265 §4.2. Of two with one name the first counts. */
function cookiesIn(header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  for (const part of (header ?? '').split(/[;,]/)) {
    const equals = part.indexOf('=')
    const name = part.slice(0, equals).trim()
    if (equals > 0 && !cookies.has(name)) cookies.set(name, part.slice(equals + 1).trim())
  }
  return cookies
}
