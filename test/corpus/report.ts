import { importMsMax, type Outcome } from './importer.ts'

/** Of all operations, at least this many must become tools. */
const shareMin = 0.99
const gitHubMsMax = 3_000
const gitHubPeakMbMax = 300

/** The figures of one run. */
export interface Summary {
  readonly documents: number
  readonly crashed: readonly string[]
  readonly tooSlow: readonly string[]
  readonly refused: readonly { readonly name: string; readonly reason: string }[]
  readonly operations: number
  readonly tools: number
  /** Tools whose schema is not valid JSON Schema 2020-12. */
  readonly invalid: readonly { readonly name: string; readonly tool: string; readonly problem: string }[]
  readonly setAside: readonly { readonly name: string; readonly operation: string; readonly reason: string }[]
  readonly slowest: readonly { readonly name: string; readonly ms: number }[]
  /** GitHub's whole document, in a process of its own. */
  readonly gitHub: { readonly ms: number; readonly peakMb: number; readonly tools: number } | undefined
}

/** Adds up what became of the documents. */
export function summarise(outcomes: readonly Outcome[]): Summary {
  const read = outcomes.flatMap((outcome) => ('ms' in outcome ? [outcome] : []))
  const tools = read.reduce((sum, outcome) => sum + outcome.tools, 0)
  const setAside = read.flatMap(({ name, setAside }) => setAside.map((one) => ({ name, ...one })))
  const gitHub = read.find(({ name }) => name === '@octokit/openapi')
  return {
    documents: outcomes.length,
    crashed: outcomes.filter(({ kind }) => kind === 'crashed').map(({ name }) => name),
    tooSlow: outcomes
      .filter((outcome) => outcome.kind === 'too slow' || ('ms' in outcome && outcome.ms > importMsMax))
      .map(({ name }) => name),
    refused: read.flatMap(({ name, refusal }) => (refusal === undefined ? [] : [{ name, reason: refusal }])),
    operations: tools + setAside.length,
    tools,
    invalid: read.flatMap(({ name, invalid }) => invalid.map((one) => ({ name, ...one }))),
    setAside,
    slowest: read
      .map(({ name, ms }) => ({ name, ms: Math.round(ms) }))
      .sort((left, right) => right.ms - left.ms)
      .slice(0, 5),
    gitHub: gitHub && { ms: Math.round(gitHub.ms), peakMb: Math.round(gitHub.peakMb), tools: gitHub.tools },
  }
}

/** What was promised of the import and does not hold; empty when all of it does. */
export function brokenPromises(summary: Summary): readonly string[] {
  const { documents, crashed, tooSlow, refused, gitHub } = summary
  const share = shareOf(summary)
  return [
    ...(documents === 0 ? ['no document was imported'] : []),
    ...crashed.map((name) => `${name} crashed the import`),
    ...tooSlow.map((name) => `${name} took over ${importMsMax / 1000} s`),
    ...refused.map(({ name, reason }) => `${name} was refused: ${reason}`),
    ...(share < shareMin ? [`only ${percent(share)} of the operations became tools with a valid schema`] : []),
    ...(gitHub && gitHub.ms > gitHubMsMax ? [`GitHub's document took ${gitHub.ms} ms`] : []),
    ...(gitHub && gitHub.peakMb > gitHubPeakMbMax ? [`GitHub's document took ${gitHub.peakMb} MB`] : []),
  ]
}

/** The summary for a person to read. */
export function text(summary: Summary): string {
  const { documents, operations, tools, invalid, setAside, slowest, gitHub } = summary
  const broken = brokenPromises(summary)
  return [
    `${documents} documents: ${summary.crashed.length} crashed, ${summary.tooSlow.length} over ${importMsMax / 1000} s, ${summary.refused.length} refused`,
    `${operations} operations: ${tools} tools, ${invalid.length} of them not valid JSON Schema 2020-12: ${percent(shareOf(summary))}`,
    ...list('Set aside, by reason:', byReason(setAside)),
    ...list(
      'Not valid:',
      invalid.slice(0, 20).map(({ name, tool, problem }) => `${name} ${tool}: ${problem}`),
    ),
    ...list(
      'Slowest:',
      slowest.map(({ name, ms }) => `${ms} ms  ${name}`),
    ),
    ...(gitHub ? [`GitHub: ${gitHub.tools} tools in ${gitHub.ms} ms, ${gitHub.peakMb} MB at most`] : []),
    ...list('NOT KEPT:', broken),
    broken.length === 0 ? 'All promises are kept.' : '',
  ]
    .join('\n')
    .concat('\n')
}

function shareOf({ operations, tools, invalid }: Summary): number {
  return operations === 0 ? 1 : (tools - invalid.length) / operations
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}

function list(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)]
}

/** Reasons with what is quoted in them left out, the most frequent first, each with one place to look at. */
function byReason(setAside: Summary['setAside']): readonly string[] {
  const reasons = new Map<string, { count: number; example: string }>()
  for (const { name, operation, reason } of setAside) {
    const kind = reason.replace(/"[^"]*"/g, '"…"')
    const known = reasons.get(kind)
    if (known) known.count += 1
    else reasons.set(kind, { count: 1, example: `${name}: ${operation}` })
  }
  return [...reasons]
    .sort(([, left], [, right]) => right.count - left.count)
    .slice(0, 40)
    .map(([kind, { count, example }]) => `${count}  ${kind}  (${example})`)
}
