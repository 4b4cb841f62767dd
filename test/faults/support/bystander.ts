import assert from 'node:assert/strict'
import { type TestCallers, testCallers } from '../../../src/testing/callers.ts'
import { startRecordingApi } from '../../../src/testing/recording-api.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from '../../../src/testing/start-gateway.ts'
import { callTool } from '../../attacks/support/client.ts'

/** A gateway with a second workspace that has nothing to do with whatever goes wrong in the first. */
export interface Shop extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly callers: TestCallers
  readonly token: string
  /** Makes a workspace whose API description has these paths. */
  make(settings: Readonly<Record<string, unknown>>): Promise<{ readonly id: string; readonly endpoint: string }>
  /** The bystander is served, at once. */
  assertOthersAreServed(): Promise<void>
}

/** Starts it; `options.now` is the clock of the gateway and of its callers. */
export async function openShop(options: TestGatewayOptions = {}): Promise<Shop> {
  const upstream = await startRecordingApi()
  const gateway = await startGateway(options)
  const callers = testCallers({}, options.now)
  const token = await callers.token()
  const make = async (settings: Readonly<Record<string, unknown>>) => {
    const all = { name: 'shop', auth: callers.auth, tools: 'all', ...settings }
    const { workspace, endpoint } = await gateway.makeWorkspace(all)
    return { id: workspace.id, endpoint }
  }
  const document = documentWith(upstream.url, { '/bystander': { get: { operationId: 'bystander' } } })
  const bystander = await make({ name: 'bystander', source: { document } })
  return {
    gateway,
    callers,
    token,
    make,
    async assertOthersAreServed() {
      const called = await callTool(bystander.endpoint, token, 'bystander')
      assert.equal(called.isError, false, called.text)
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

/** An OpenAPI document in JSON. */
export function documentWith(server: string, paths: Readonly<Record<string, unknown>>, more: object = {}): string {
  return JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Shop', version: '1' },
    servers: [{ url: server }],
    paths,
    ...more,
  })
}
