import { compare } from './compare.ts'
import { halfLoad } from './half-load.ts'
import { listSpeed } from './list-speed.ts'
import { memory } from './memory.ts'
import { type BenchOptions, readOptions, usage } from './options.ts'
import { startTime } from './start-time.ts'

/** False when an answer was wrong. */
function run(options: BenchOptions): Promise<boolean> {
  switch (options.mode) {
    case 'compare':
      return compare(options)
    case 'half-load':
      return halfLoad(options)
    case 'start':
      return startTime(options)
    case 'list':
      return listSpeed(options)
    case 'memory':
      return memory(options)
  }
}

if (process.argv.includes('--help')) {
  process.stdout.write(usage)
} else {
  try {
    const isRight = await run(readOptions(process.argv.slice(2)))
    process.exit(isRight ? 0 : 1)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}
