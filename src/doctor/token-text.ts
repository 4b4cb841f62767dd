import type { CauseCode } from './causes.ts'

/** A token as it stood in the file, and what is left when what does not belong to it is taken off. */
export interface TokenText {
  readonly token: string
  /** What did not belong to it, outermost first; `form`: what it is instead of a JWT. */
  readonly wrapping: readonly CauseCode[]
  readonly form: CauseCode | undefined
}

const JWT_START = /^eyJ/

/**
 * Reads the content of a token file as strictly as a client does that sends it unchanged. Pure. A single line break at the
 * end is reported too: our own `@file` forgives it, a program that does not breaks its header.
 */
export function readTokenText(content: string): TokenText {
  const wrapping: CauseCode[] = []
  let text = content
  const take = (cause: CauseCode, pattern: RegExp, replacement = '') => {
    const rest = text.replace(pattern, replacement)
    if (rest !== text) wrapping.push(cause)
    text = rest
  }
  take('token_has_line_break', /[\r\n]+$/)
  text = text.trim()
  if (text === '') return { token: '', wrapping: [], form: 'token_empty' }
  take('token_has_quotes', /^(["'`])(.*)\1$/s, '$2')
  take('token_has_header_name', /^(?:authorization|agent-session|x-api-key)\s*:\s*/i)
  if (wrapping.includes('token_has_header_name')) text = text.replace(/^bearer +/i, '')
  take('token_has_bearer', /^(?:bearer\s+)+/i)
  take('token_has_other_scheme', /^(?:token|jwt|basic|apikey|api-key|dpop|mac|digest|oauth)[ :=]+(?=\S)/i)
  take('token_has_quotes', /^(["'`])(.*)\1$/s, '$2')
  take('token_has_spaces', /[^\x21-\x7e]+/g)
  return { token: text, wrapping: [...new Set(wrapping)], form: formOf(text) }
}

function formOf(token: string): CauseCode | undefined {
  if (token === '') return 'token_empty'
  if (token.length > 16_384) return 'token_too_long'
  const parts = token.split('.')
  if (parts.length === 5 && JWT_START.test(token)) return 'token_encrypted'
  const [, , signature] = parts
  const isJwtLike = JWT_START.test(token)
  if (isJwtLike && parts.length < 3) return 'token_cut'
  // An empty signature is the mark of an unsigned token too, whose header says so itself.
  if (parts.length !== 3) return isJwtLike ? 'token_malformed' : 'token_opaque'
  if (!isJwtLike && !/^[\w+/=-]+\.[\w+/=-]+\.[\w+/=-]*$/.test(token)) return 'token_opaque'
  if (/[+/=]/.test(token)) return 'token_base64'
  return signature === undefined ? 'token_cut' : undefined
}
