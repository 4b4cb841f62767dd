import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redisIsMissing } from '../redis/find-redis.ts'
import { type Engine, runRefreshKills } from './refresh-kills.ts'

const KILLS = 25
/** Where a machine is so busy that none of them hit where it is dangerous, as many again. */
const ROUNDS_MAX = 4

/** A sample of what `npm run kills` does a thousand times. A file for each engine: together they would take too long. */
export function sampleRefreshKills(engine: Engine): void {
  const skip = engine === 'redis' ? (redisIsMissing() ?? false) : false
  test(`no session is lost when the provider is killed in the middle of a refresh (${engine})`, { skip }, async () => {
    let hits = 0
    for (let round = 0; round < ROUNDS_MAX && hits === 0; round += 1) {
      const report = await runRefreshKills({ engine, kills: KILLS, sessions: 4 })
      assert.equal(report.lost, 0, JSON.stringify(report))
      hits += report.between
    }
    // Some hit where it is dangerous: tokens were made, and nobody got them.
    assert.ok(hits > 0)
  })
}
