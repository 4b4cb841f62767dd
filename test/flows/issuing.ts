import assert from 'node:assert/strict'
import { z } from 'zod'
import { startTestApi, type TestApi } from '../../src/test-api/test-api.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from '../../src/testing/start-gateway.ts'
import { type Answered, adminOf, rpc } from './http.ts'

const issued = z.looseObject({
  id: z.string(),
  value: z.string().default(''),
  status: z.string(),
  reason: z.string().nullable(),
  preview: z.string(),
  subject: z.string(),
  lastUsedAt: z.string().nullable(),
  expiresAt: z.string().nullable(),
  workspaces: z.array(z.object({ id: z.string(), slug: z.string(), url: z.string(), isDefault: z.boolean() })),
  usage: z.object({ curl: z.string(), client: z.unknown() }).nullable(),
})
const workspace = z.looseObject({ id: z.string(), url: z.string() })

export type Issued = z.output<typeof issued>

/** A gateway whose admin makes workspaces and issues credentials. */
export interface IssuingGateway extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly api: TestApi
  admin(method: string, path: string, body?: unknown): Promise<Answered>
  /** A workspace of the test API, open to everybody unless settings say otherwise. */
  make(name: string, settings?: Readonly<Record<string, unknown>>): Promise<{ id: string; url: string }>
  /** Issues one; it must be accepted. `noun` is `tokens`, `keys` or `sessions`. */
  issue(noun: string, body: Readonly<Record<string, unknown>>): Promise<Issued>
  /** Anything of `/api/tokens` and its like that answers with a credential. */
  issued(method: string, path: string, body?: unknown): Promise<Issued>
}

export async function startIssuing(options: TestGatewayOptions = {}): Promise<IssuingGateway> {
  const api = await startTestApi({ mode: 'none' })
  const gateway = await startGateway(options)
  const admin = adminOf(gateway.url, gateway.adminKey)
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await admin(method, path, body)
    assert.ok(answer.status < 300, answer.text)
    return issued.parse(answer.body)
  }
  return {
    gateway,
    api,
    admin,
    async make(name, settings = {}) {
      const source = { url: `${api.origin}/openapi.json` }
      const made = await admin('POST', '/api/workspaces', { name, source, ...settings })
      assert.equal(made.status, 201, made.text)
      return workspace.parse(made.body)
    },
    issue: (noun, body) => send('POST', `/api/${noun}`, body),
    issued: send,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await api.stop()
    },
  }
}

/** The status of `tools/list` with these headers. */
export async function statusWith(endpoint: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return (await rpc(endpoint, 'tools/list', { headers })).status
}

/** The status of `tools/list` with a bearer. */
export function statusOf(endpoint: string, token: string): Promise<number> {
  return statusWith(endpoint, { authorization: `Bearer ${token}` })
}

/** Header and claims of a JWT, unverified. */
export function decoded(token: string): { readonly header: unknown; readonly claims: unknown } {
  const [header = '', claims = ''] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  return { header: JSON.parse(header), claims: JSON.parse(claims) }
}

/** A clock that a test turns by hand. */
export function handTurned(start = Date.UTC(2026, 10, 20)): { readonly now: () => number; advance(ms: number): void } {
  let time = start
  return {
    now: () => time,
    advance(ms) {
      time += ms
    },
  }
}
