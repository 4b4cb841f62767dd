import type { Caller } from '../identify/caller.ts'

/** A caller as conditions see him. A class: the rules' language knows its fields by it. */
export class RuleCaller {
  readonly subject: string
  readonly issuer: string
  readonly scopes: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>

  constructor({ subject, issuer, scopes, claims }: Pick<Caller, 'subject' | 'issuer' | 'scopes' | 'claims'>) {
    this.subject = subject
    this.issuer = issuer
    this.scopes = [...scopes]
    this.claims = claims
  }
}

/** A tool as conditions see it. */
export class RuleTool {
  readonly name: string
  readonly annotations: object

  constructor(name: string, annotations: object) {
    this.name = name
    this.annotations = annotations
  }
}

const VALUES_MAX = 1000
const CHARACTERS_MAX = 30_000

/** Whether the arguments are few and short enough for a rule to look at: evaluation takes time in proportion to them. */
export function areBounded(args: unknown): boolean {
  let values = 0
  let characters = 0
  const waiting: unknown[] = [args]
  while (waiting.length > 0) {
    const value = waiting.pop()
    values += 1
    if (typeof value === 'string') characters += value.length
    else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) {
        characters += key.length
        if (values + waiting.length > VALUES_MAX) return false
        waiting.push(member)
      }
    }
    if (values > VALUES_MAX || characters > CHARACTERS_MAX) return false
  }
  return true
}
