import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { setUp } from './set-up.ts'

/**
 * Runs every test, in parallel, one process a file; or with `--attacks` those of test/attacks. Other arguments are files.
 * At the end it says what took longest and what was left out. With CI=true nothing may be left out.
 */
const SLOW_MS = 5_000
const FILE_TIMEOUT_MS = 240_000
/** Node's own timeout does not end a file whose tests are over and whose process is not: something in it still listens. */
const SILENCE_MS = 300_000

const args = process.argv.slice(2)
const attacks = args.includes('--attacks')
const named = args.filter((argument) => !argument.startsWith('--'))
const patterns = attacks ? ['test/attacks/**/*.test.ts'] : ['src/**/*.test.ts', 'test/**/*.test.ts']
const files = named.length > 0 ? named : patterns.flatMap((pattern) => globSync(pattern)).sort()

process.stdout.write(
  `${files.length} test files on Node ${process.versions.node}. What they need comes with npm ci, but for Redis and Chromium: they are looked for, and installed on Debian as root. Two files also ask the npm registry (the package, sixty real API descriptions).
`,
)
if (named.length === 0)
  setUp((line) =>
    process.stdout.write(`${line}
`),
  )
const startedAt = performance.now()
const durations = new Map<string, number>()
const leftOut: string[] = []
let failed = 0

const stuck = new AbortController()
const concurrency = Math.max(2, availableParallelism())
const stream = run({ files, concurrency, timeout: FILE_TIMEOUT_MS, signal: stuck.signal })
const running = new Set<string>()
const silence = setTimeout(endStuck, SILENCE_MS)
stream.on('test:dequeue', ({ name }) => {
  silence.refresh()
  if (files.includes(name)) running.add(name)
})
stream.on('test:fail', () => {
  failed += 1
})
stream.on('test:pass', ({ name, skip, todo }) => {
  if (skip !== undefined || todo !== undefined) leftOut.push(name)
})
stream.on('test:complete', ({ name, file, details, nesting }) => {
  silence.refresh()
  running.delete(name)
  if (file !== undefined && nesting === 0) durations.set(file, (durations.get(file) ?? 0) + details.duration_ms)
})
stream.compose(new spec()).pipe(process.stdout)
stream.on('end', () => {
  clearTimeout(silence)
  setImmediate(summarise)
})

function endStuck(): void {
  process.stdout.write(
    `\nNothing has happened for ${SILENCE_MS / 1000} s. Ended, since they do not end by themselves: ${[...running].join(', ')}\n`,
  )
  stuck.abort()
}

function summarise(): void {
  const slowest = [...durations].filter(([, ms]) => ms > SLOW_MS).sort(([, left], [, right]) => right - left)
  const lines = slowest
    .slice(0, 10)
    .map(([file, ms]) => `  ${(ms / 1000).toFixed(1)} s  ${file.replace(`${process.cwd()}/`, '')}`)
  process.stdout.write(
    `\nAll took ${((performance.now() - startedAt) / 1000).toFixed(0)} s.${lines.length > 0 ? ' Longest:' : ''}\n`,
  )
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
  if (leftOut.length > 0) process.stdout.write(`Left out: ${leftOut.join(', ')}\n`)
  if (failed > 0 || (process.env['CI'] === 'true' && leftOut.length > 0)) process.exitCode = 1
}
