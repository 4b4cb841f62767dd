/**
 * Characters that a person reading the text does not see but a model does: zero-width, bidirectional controls, tag
 * characters (U+E0000…), variation selectors, private use, lone surrogates, and control characters but tab and newline.
 */
const invisible = /[\p{Cf}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu
const lineBreaks = /\r\n?|[\u0085\u2028\u2029]/g

/** The text without invisible and control characters, its line breaks as `\n` (PRODUCT.md, 16). */
export function stripInvisible(text: string): string {
  return text.replace(lineBreaks, '\n').replace(invisible, '')
}

/** A text of a document, fit to be shown to a model and a person: invisible characters stripped, at most `lengthMax` long. */
export function cleanText(value: unknown, lengthMax: number): string {
  if (typeof value !== 'string') return ''
  // Cut before stripping too: the work is bounded by what is kept, not by what was sent.
  const text = stripInvisible(value.slice(0, lengthMax * 4)).trim()
  if (text.length <= lengthMax) return text
  return `${text.slice(0, lengthMax - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** Whether the text has nothing that `stripInvisible` would take out. */
export function isVisible(text: string): boolean {
  return stripInvisible(text) === text
}
