import assert from 'node:assert/strict'
import { startGateway, type TestGateway, type TestGatewayOptions } from '../../src/testing/start-gateway.ts'
import { type Answered, send, textAt } from './http.ts'

export const PASSWORD = 'correct horse battery'

/** Calls `/api` as somebody. `account` is what the header says; a body is sent as JSON. */
export type Caller = (
  method: string,
  path: string,
  body?: unknown,
  options?: { readonly account?: string | undefined; readonly headers?: Readonly<Record<string, string>> },
) => Promise<Answered>

/** A gateway with people in accounts. */
export interface TeamGateway extends AsyncDisposable {
  readonly gateway: TestGateway
  /** Whoever holds the admin key. */
  readonly admin: Caller
  /** Nobody in particular. */
  readonly stranger: Caller
  /** Makes an account. */
  account(slug: string): Promise<string>
  /** Invites somebody, who accepts and signs in. The e-mail is `name` at example.com. */
  person(name: string, options?: { readonly role?: string; readonly account?: string }): Promise<Member>
}

export interface Member {
  readonly id: string
  readonly email: string
  readonly token: string
  readonly call: Caller
}

export function callerWith(url: string, authorization: string | undefined): Caller {
  return (method, path, body, { account, headers = {} } = {}) =>
    send(method, `${url}${path}`, {
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(account === undefined ? {} : { 'x-gatehouse-account': account }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
}

/** Must be accepted. */
export async function accepted(answer: Promise<Answered>): Promise<Answered> {
  const got = await answer
  assert.ok(got.status < 300, `${got.status} ${got.text}`)
  return got
}

export async function startTeams(options: TestGatewayOptions = {}): Promise<TeamGateway> {
  const gateway = await startGateway(options)
  const admin = callerWith(gateway.url, `Bearer ${gateway.adminKey}`)
  const stranger = callerWith(gateway.url, undefined)
  return {
    gateway,
    admin,
    stranger,
    async account(slug) {
      return textAt((await accepted(admin('POST', '/api/accounts', { name: slug, slug }))).body, 'id')
    },
    async person(name, { role = 'owner', account } = {}) {
      const email = `${name}@example.com`
      const invited = await accepted(admin('POST', '/api/invitations', { email, role }, { account }))
      const code = textAt(invited.body, 'code')
      await accepted(stranger('POST', '/api/invitations/accept', { code, name, password: PASSWORD }))
      const token = await signIn(stranger, email)
      const call = callerWith(gateway.url, `Bearer ${token}`)
      return { id: textAt((await accepted(call('GET', '/api/me'))).body, 'id'), email, token, call }
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}

export async function signIn(stranger: Caller, email: string, password = PASSWORD): Promise<string> {
  return textAt((await accepted(stranger('POST', '/api/sign-in', { email, password }))).body, 'token')
}
