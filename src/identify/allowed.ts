import type { AllowSettings } from '../workspaces/allow-settings.ts'

/** What `allow` looks at; only of a verified e-mail, in lower case. */
export interface Admissible {
  readonly email: string | undefined
  /** Who owns the account, where the provider tells it apart from the e-mail. Undefined: the e-mail’s domain counts. */
  readonly ownedBy?: readonly string[] | undefined
}

/**
 * Whether the settings let somebody in. Pure. Domains are compared whole: `example.com` is neither `a.example.com` nor
 * `example.com.evil.example`.
 */
export function isAllowed(allow: AllowSettings, { email, ownedBy }: Admissible): boolean {
  if (allow === 'anyone') return true
  if (email === undefined) return false
  if (allow.emails.includes(email)) return true
  const owners = ownedBy ?? [domainOf(email)]
  return allow.domains.includes(domainOf(email)) && owners.some((owner) => allow.domains.includes(owner))
}

/**
 * An e-mail address as it is compared: trimmed, in lower case; undefined for what is no plain address.
 *
 * Only ASCII: `K` (the Kelvin sign) becomes `k` in lower case, so that somebody else’s domain would turn into ours.
 */
export function plainEmail(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 254) return undefined
  const text = value.trim()
  return /^[\x21-\x3f\x41-\x7e]+@[A-Za-z\d.-]+$/.test(text) ? text.toLowerCase() : undefined
}

/** A name for people: one line, at most 200 characters, nothing invisible. */
export function plainName(...candidates: readonly unknown[]): string | undefined {
  for (const value of candidates) {
    if (typeof value !== 'string') continue
    const text = value
      .replace(/\s+/gu, ' ')
      .replace(/\p{C}+/gu, '')
      .trim()
    if (text !== '') return Array.from(text).slice(0, 200).join('')
  }
  return undefined
}

export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1)
}
