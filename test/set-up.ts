import { chromiumIsMissing } from './browser/chromium.ts'
import { redisIsMissing } from './redis/find-redis.ts'

const PARTS = [
  { name: 'Redis', whyMissing: redisIsMissing },
  { name: 'Chromium', whyMissing: chromiumIsMissing },
] as const

/**
 * Finds what some tests need besides npm's packages, or installs it where that can be done (Debian, as root), once for all
 * files. Says what it found; tests that go without say so themselves, and with CI=true they fail.
 */
export function setUp(say: (line: string) => void): void {
  for (const { name, whyMissing } of PARTS) {
    const startedAt = performance.now()
    let problem: string | undefined
    try {
      problem = whyMissing()
    } catch (error) {
      problem = error instanceof Error ? error.message : 'it cannot be found'
    }
    const seconds = (performance.now() - startedAt) / 1000
    say(`${name}: ${problem ?? (seconds > 1 ? `installed in ${seconds.toFixed(0)} s` : 'found')}`)
  }
}
