import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { redisIsMissing } from '../redis/find-redis.ts'
import { runRefreshKills } from './refresh-kills.ts'

const KILLS = 25

suite('no session is lost when the provider is killed in the middle of a refresh, with the engine', {
  concurrency: 1,
}, () => {
  for (const engine of ['store', 'file', 'redis'] as const) {
    const skip = engine === 'redis' ? (redisIsMissing() ?? false) : false
    test(engine, { skip }, async () => {
      const report = await runRefreshKills({ engine, kills: KILLS, sessions: 4 })
      assert.equal(report.lost, 0, JSON.stringify(report))
      // Some hit where it is dangerous: tokens were made, and nobody got them.
      assert.ok(report.between > 0, JSON.stringify(report))
    })
  }
})
