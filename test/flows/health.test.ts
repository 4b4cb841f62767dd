import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from '../../src/testing/start-gateway.ts'

test('a gateway whose store does not answer is alive and not ready', async () => {
  await using gateway = await startGateway()
  const statusOf = async (path: string) => (await fetch(gateway.url + path)).status
  assert.deepEqual([await statusOf('/health/live'), await statusOf('/health/ready')], [200, 200])
  await gateway.running.gateway.close()
  assert.deepEqual([await statusOf('/health/live'), await statusOf('/health/ready')], [200, 503])
})
