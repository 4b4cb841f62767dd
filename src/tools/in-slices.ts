import { setImmediate } from 'node:timers/promises'

const SLICE_MS = 10

/**
 * Does the work for each item, and lets everything else that waits for this thread go first whenever 10 ms are used up:
 * what takes a second in all holds up nobody for longer than its longest item.
 */
export async function inSlices<Item>(items: Iterable<Item>, work: (item: Item) => void): Promise<void> {
  let until = performance.now() + SLICE_MS
  for (const item of items) {
    work(item)
    if (performance.now() < until) continue
    await setImmediate()
    until = performance.now() + SLICE_MS
  }
}
