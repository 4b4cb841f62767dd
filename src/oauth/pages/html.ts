/** Text that is HTML already. Only `html` makes it, so whatever else stands in a page was escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = string | Html | undefined | readonly (string | Html)[]

/** HTML with every value escaped (THREATS.md, T28); what is `Html` already stays, undefined is nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, next, index) => text + shown(parts[index - 1]) + next))
}

function shown(part: Part): string {
  if (part === undefined) return ''
  if (typeof part === 'string') return escaped(part)
  return part instanceof Html ? part.text : part.map(shown).join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/**
 * What a stranger calls himself, for people to read: one line, not too long, without the characters that turn the direction
 * of writing around or cannot be seen.
 */
export function plainText(text: string, lengthMax: number): string {
  const line = text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  const characters = [...line]
  return characters.length <= lengthMax ? line : `${characters.slice(0, lengthMax - 1).join('')}…`
}
