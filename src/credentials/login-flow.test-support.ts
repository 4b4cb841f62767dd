import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'
import type { RecordLine } from '../records/record.ts'
import { loginSettings } from '../workspaces/settings.ts'
import { createLoginFlow, type LoginFlow } from './login-flow.ts'

export const SECRETS = { username: 'canary-user-51', password: 'canary-password-52', tenant: 'canary-tenant-53' }

export interface Received {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export interface Reply {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** A login server that answers as it is told, a flow against it, and everything that both saw. */
interface Stage {
  readonly flow: LoginFlow
  readonly received: Received[]
  readonly records: RecordLine[]
  readonly clock: { now: number }
}

interface Script {
  readonly reply: (received: Received, count: number) => Reply | Promise<Reply>
  readonly settings?: unknown
  readonly params?: Record<string, string>
  readonly timeoutMs?: number
}

export async function onStage(script: Script, run: (stage: Stage) => Promise<void>): Promise<void> {
  const received: Received[] = []
  const records: RecordLine[] = []
  const clock = { now: 1_700_000_000_000 }
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const one = { path: request.url ?? '', headers: request.headers, body }
    received.push(one)
    const { status = 200, headers = {}, body: answer = {} } = await script.reply(one, received.length)
    response.writeHead(status, headers).end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const egress = createEgress()
  const { timeoutMs } = script
  const flow = createLoginFlow({
    settings: loginSettings.parse(script.settings ?? {}),
    params: {
      login_url: `http://127.0.0.1:${address.port}/auth/login?from=canary-query`,
      ...SECRETS,
      ...script.params,
    },
    egress,
    reach: 'operator',
    now: () => clock.now,
    writeRecord: (line) => records.push(line),
    workspace: { id: 'abc', slug: 'shop' },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  try {
    await run({ flow, received, records, clock })
    const told = JSON.stringify(records)
    for (const canary of ['canary', 'at-', 'rt-']) assert.ok(!told.includes(canary), `a record holds ${canary}`)
  } finally {
    server.closeAllConnections()
    server.close()
    await egress.close()
  }
}

export async function failure(promise: Promise<unknown> | unknown): Promise<GatewayError> {
  const error = await Promise.resolve(promise).then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof GatewayError, String(error))
  assert.ok(!error.message.includes('canary'), error.message)
  return error
}

export const ctx = { requestId: 'req-1' }
export const seedAnswer = (_: Received, count: number) => ({
  body: { accessToken: `at-${count}`, refreshToken: `rt-${count}`, expiresIn: 900 },
})
