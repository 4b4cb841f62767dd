import { CAUSES } from '../../src/doctor/causes.ts'

const MARK = '<!-- Made by `npm run docs` from src/doctor/causes*.ts. Do not edit below. -->'

/** The text of docs/guide/doctor.md: what stands above the mark, and the table of causes. */
export function doctorPage(page: string): string {
  const [above = ''] = page.split(MARK, 1)
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const rows = Object.entries(CAUSES).map(
    ([code, { meaning, fix }]) => `| \`${code}\` | ${cell(meaning)} | ${cell(fix)} |`,
  )
  return [`${above}${MARK}`, '', '| cause | what it means | what to do |', '|---|---|---|', ...rows, ''].join('\n')
}
