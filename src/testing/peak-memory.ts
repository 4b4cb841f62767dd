import { readFileSync } from 'node:fs'

/**
 * The most memory that this program has held, in megabytes. On Linux from `/proc` (proc(5), `VmHWM`): there `maxRSS` begins with
 * what the process that started it held at that moment (getrusage(2)), which is somebody else's.
 */
export function peakMemoryMb(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  if (kilobytes === undefined) throw new Error('/proc/self/status does not say VmHWM.')
  return Number(kilobytes) / 1024
}
