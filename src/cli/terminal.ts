import { printable, printableJson } from '../records/log-text.ts'

/** Resolves at Ctrl-C or a polite kill. A second one ends the process at once. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => resolve()
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  })
}

/**
 * Columns of equal width, two spaces apart; the last one is not filled. Readable without colour and in a pipe. Cells are
 * other people’s words: each stays on its line, without what could steer the terminal.
 */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable))
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  }
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** Bold or dim where the terminal shows it (https://no-color.org), else the text as it is. */
export function styled(style: 'bold' | 'dim', text: string): string {
  if (!process.stdout.hasColors?.()) return text
  return style === 'bold' ? `\u001b[1m${text}\u001b[22m` : `\u001b[2m${text}\u001b[22m`
}

/** Our own styles. Whatever else looks like a control sequence came from somebody’s text. */
const STYLE = /(\u001b\[(?:1|2|22)m)/

/** Prints our own text. Of what else is in it, nothing can steer the terminal or hide (THREATS.md, T16). */
export function print(text: string): void {
  const parts = text.split(STYLE)
  process.stdout.write(parts.map((part, index) => (index % 2 === 1 ? part : printableLines(part))).join(''))
}

/** Prints a line that holds other people’s words: it stays one line. */
export function printLine(text: string): void {
  process.stdout.write(`${printable(text)}\n`)
}

/** Says on the standard error what went wrong. */
export function printError(message: string): void {
  process.stderr.write(`${printableLines(message)}\n`)
}

/** Says something to whoever sits at the terminal, beside what a program may read from the standard output. */
export function printNotice(message: string): void {
  process.stderr.write(`${printable(message)}\n`)
}

export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`)
}

/** One line of JSON. */
export function printJsonLine(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value))}\n`)
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}
