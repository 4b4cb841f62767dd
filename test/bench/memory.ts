import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { openProcess } from './bench-process.ts'
import { startGatehouse } from './gatehouse-process.ts'
import { startProvider } from './gatehouse-workspace.ts'
import type { BenchOptions } from './options.ts'
import { describeMachine } from './report.ts'
import { expectSuccess, makeSigningSetup } from './setup.ts'

const CONNECTIONS = 64
const SLICE_SECONDS = 5
const SAMPLE_MS = 250

/** Calls `gatehouse start` with another ES256 token each time, and watches what memory the process holds. */
export async function memory({ tools, calls: wanted, program, say }: BenchOptions): Promise<boolean> {
  await using upstream = openProcess('upstream')
  await using load = openProcess('load')
  const { setup: blank, signer } = await makeSigningSetup('', tools)
  const setup = { ...blank, upstreamOrigin: (await upstream.start('upstream.ts', blank)).url }
  await using gatehouse = await startGatehouse(setup, { provider: await startProvider(setup), program })
  const { offer, pid } = gatehouse
  await expectSuccess('gatehouse start', offer, { speaksMcp: true })
  const idle = await residentBytes(pid)
  let peak = idle
  const watch = setInterval(async () => {
    peak = Math.max(peak, await residentBytes(pid).catch(() => 0))
  }, SAMPLE_MS)
  say(`before the first load: ${megabytes(idle)} MB`)
  let calls = 0
  let errors = 0
  try {
    while (calls < wanted) {
      const result = await load.load({ offer, connections: CONNECTIONS, seconds: SLICE_SECONDS, signer })
      calls += result.calls
      errors += result.errors
      if (result.calls === 0) throw new Error('Nothing is answered any more.')
      say(`${calls} calls: ${megabytes(await residentBytes(pid))} MB, peak ${megabytes(peak)} MB`)
    }
  } finally {
    clearInterval(watch)
  }
  const after = await residentBytes(pid)
  process.stdout.write(
    `${describeMachine()}\n${calls} calls, each with its own ES256 token, ${CONNECTIONS} connections, ${tools} tools, ${errors} errors.\n` +
      `RSS before ${megabytes(idle)} MB, peak ${megabytes(peak)} MB, at the end ${megabytes(after)} MB (sampled every ${SAMPLE_MS} ms).\n`,
  )
  return errors === 0
}

/** What `ps` calls rss, on Linux and macOS alike. */
async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) * 1024
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(0)
}
