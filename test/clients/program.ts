import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

const TIMEOUT_MS = 60_000
const OUTPUT_CHARACTERS_MAX = 200_000

/** How a program ended. */
export interface Finished {
  /** The exit code; undefined when it had to be killed. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** All of it, to be shown when an assertion fails. */
  readonly report: string
}

/** A home folder for programs that keep files there; removed at the end. */
export interface Home extends AsyncDisposable {
  /** The whole environment of such a program: nothing of this process's own is passed on. */
  readonly env: Readonly<Record<string, string>>
}

/** The script behind a command of an installed package, as its `package.json` names it. */
export async function scriptOf(packageName: string, command: string): Promise<string> {
  const folder = join(import.meta.dirname, '../../node_modules', packageName)
  const { bin } = z
    .object({ bin: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
  const script = bin[command]
  if (script === undefined) throw new Error(`${packageName} has no command ${command}.`)
  return join(folder, script)
}

export async function makeHome(): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-home-'))
  return {
    env: { HOME: folder, MCP_REMOTE_CONFIG_DIR: join(folder, 'mcp-remote'), NO_COLOR: '1' },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/**
 * Runs a script on this Node to its end, at most a minute. Its standard input stays open: some take the end for a wish to stop.
 * `onStdout` is told all that it has printed so far, whenever there is more.
 */
export function runScript(
  script: string,
  args: readonly string[],
  { env }: Home,
  onStdout: (printed: string) => void = () => {},
): Promise<Finished> {
  const child = spawn(process.execPath, [script, ...args], { env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (output[name].length < OUTPUT_CHARACTERS_MAX) output[name] += text
      if (name === 'stdout') onStdout(output.stdout)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const ending = signal === null ? `exit ${code}` : `killed by ${signal}`
      const report = `${ending}\n--- stdout\n${output.stdout}\n--- stderr\n${output.stderr}`
      resolve({ code: code ?? undefined, ...output, report })
    })
  })
}
