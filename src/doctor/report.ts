import { CAUSES, type CauseCode } from './causes.ts'

/** One thing that was looked at. `cause` and `fix` are null when it is well. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was seen, in words. */
  readonly finding: string
  readonly cause: CauseCode | null
  readonly fix: string | null
}

/** What the doctor says. `verdict` is the cause to mend first, or `ok`. */
export interface Report {
  readonly checks: readonly Check[]
  readonly verdict: CauseCode | 'ok'
}

const FINDING_LENGTH_MAX = 600
/** Parts of a token shorter than this could be any word. */
const SECRET_LENGTH_MIN = 8
/** A token and what it stands in have fewer parts. Each is looked for in all that an endpoint answers, and others wait meanwhile. */
const SECRETS_MAX = 30

export function passed(name: string, finding: string): Check {
  return { name, ok: true, finding, cause: null, fix: null }
}

/** `seen` is added to what the cause means. */
export function failed(name: string, cause: CauseCode, seen?: string): Check {
  const { meaning, fix } = CAUSES[cause]
  return { name, ok: false, finding: seen === undefined ? meaning : `${meaning} ${seen}`, cause, fix }
}

/**
 * The report of these checks, in the order in which a request meets what they looked at: the first that failed is the one to
 * mend. The token is taken out of every text.
 */
export function reportOf(checks: readonly Check[], token?: string): Report {
  const conceal = concealing(token)
  // A line break at the end is forgiven by many programs, so it is the last thing to mend.
  const isLast = ({ cause }: Check) => cause === 'token_has_line_break'
  const inOrder = [...checks.filter((check) => !isLast(check)), ...checks.filter(isLast)]
  const shown = inOrder.map((check) => ({ ...check, finding: shortened(conceal(check.finding)) }))
  return { checks: shown, verdict: shown.find(({ cause }) => cause !== null)?.cause ?? 'ok' }
}

/** Takes a token out of a text, whole and in its parts, however it was wrapped. */
export function concealing(token: string | undefined): (text: string) => string {
  const secrets = token === undefined ? [] : secretsOf(token)
  return (text) => without(text, secrets)
}

/** Without what stands before and behind the token too, and the parts on their own: the last one is the signature. The longest first. */
function secretsOf(text: string): readonly string[] {
  const words = text.split(/[\s"',]+/)
  const parts = words.flatMap((word) => [word, ...word.split('.')])
  const long = new Set([text, ...parts].filter((part) => part.length >= SECRET_LENGTH_MIN))
  return [...long]
    .filter((part) => !/^authorization:?$/i.test(part))
    .sort((one, other) => other.length - one.length)
    .slice(0, SECRETS_MAX)
}

function without(text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, '[token]'), text)
}

function shortened(text: string): string {
  return text.length <= FINDING_LENGTH_MAX ? text : `${text.slice(0, FINDING_LENGTH_MAX)}…`
}
