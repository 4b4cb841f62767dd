import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ROLES } from '../../src/accounts/person.ts'
import { type Caller, startTeams, type TeamGateway } from './accounts.ts'
import { at } from './http.ts'

/** What every route needs. A new one has to be written here too, so that somebody has thought about it twice. */
const NEEDS: Readonly<Record<string, string>> = {
  'POST /api/sign-in': 'nobody',
  'POST /api/invitations/accept': 'nobody',
  'POST /api/first-run': 'nobody',
  'GET /api/openapi.json': 'nobody',
  'POST /api/sign-out': 'sign_in',
  'GET /api/me': 'sign_in',
  'POST /api/me/password': 'sign_in',
  'GET /api/accounts': 'sign_in',
  'GET /api/accounts/{account}': 'read',
  'GET /api/people': 'read',
  'GET /api/people/{id}': 'read',
  'GET /api/workspaces': 'read',
  'GET /api/workspaces/{id}': 'read',
  'GET /api/workspaces/{id}/tools': 'read',
  'GET /api/tokens': 'read',
  'GET /api/tokens/{id}': 'read',
  'GET /api/sessions': 'read',
  'GET /api/sessions/{id}': 'read',
  'GET /api/keys': 'read',
  'GET /api/keys/{id}': 'read',
  'GET /api/signing-keys': 'read',
  'GET /api/logs': 'read',
  'POST /api/workspaces': 'workspaces',
  'PATCH /api/workspaces/{id}': 'workspaces',
  'DELETE /api/workspaces/{id}': 'workspaces',
  'POST /api/workspaces/{id}/import': 'workspaces',
  'PATCH /api/workspaces/{id}/tools': 'workspaces',
  'POST /api/doctor': 'workspaces',
  'POST /api/tokens': 'credentials',
  'POST /api/tokens/{id}/revoke': 'credentials',
  'POST /api/tokens/{id}/workspaces': 'credentials',
  'DELETE /api/tokens/{id}/workspaces/{workspace}': 'credentials',
  'POST /api/sessions': 'credentials',
  'POST /api/sessions/{id}/revoke': 'credentials',
  'POST /api/sessions/{id}/workspaces': 'credentials',
  'DELETE /api/sessions/{id}/workspaces/{workspace}': 'credentials',
  'POST /api/keys': 'credentials',
  'POST /api/keys/{id}/revoke': 'credentials',
  'POST /api/keys/{id}/workspaces': 'credentials',
  'DELETE /api/keys/{id}/workspaces/{workspace}': 'credentials',
  'PATCH /api/people/{id}': 'people',
  'DELETE /api/people/{id}': 'people',
  'GET /api/invitations': 'people',
  'POST /api/invitations': 'people',
  'DELETE /api/invitations/{id}': 'people',
  'GET /api/audit': 'audit',
  'PATCH /api/accounts/{account}': 'account',
  'DELETE /api/accounts/{account}': 'account',
  'POST /api/accounts': 'operator',
  'POST /api/people': 'operator',
  'POST /api/people/{id}/password-reset': 'operator',
  'POST /api/first-run/code': 'operator',
  'POST /api/signing-keys/rotate': 'operator',
  'GET /api/audit/verify': 'operator',
}

/** Who may, by what a route needs; everybody else is refused. */
const WHO: Readonly<Record<string, readonly string[]>> = {
  nobody: ['stranger', 'viewer', 'developer', 'admin', 'owner', 'operator'],
  sign_in: ['viewer', 'developer', 'admin', 'owner', 'operator'],
  read: ['viewer', 'developer', 'admin', 'owner', 'operator'],
  workspaces: ['developer', 'admin', 'owner', 'operator'],
  credentials: ['developer', 'admin', 'owner', 'operator'],
  people: ['admin', 'owner', 'operator'],
  audit: ['admin', 'owner', 'operator'],
  account: ['owner', 'operator'],
  operator: ['operator'],
}

let teams: TeamGateway
const callers = new Map<string, Caller>()

before(async () => {
  teams = await startTeams()
  for (const role of ROLES) callers.set(role, (await teams.person(role, { role })).call)
  callers.set('operator', teams.admin).set('stranger', teams.stranger)
})

after(() => teams[Symbol.asyncDispose]())

suite('roles', () => {
  test('the table of what each route needs is whole and right', async () => {
    const { body } = await teams.stranger('GET', '/api/openapi.json')
    const described = Object.entries(Object(at(body, 'paths'))).flatMap(([path, methods]) =>
      Object.entries(Object(methods)).map(([method, operation]) => [
        `${method.toUpperCase()} ${path}`,
        at(operation, 'x-gatehouse-needs'),
      ]),
    )
    assert.deepEqual(Object.fromEntries(described), NEEDS)
  })

  for (const [name, needs] of Object.entries(NEEDS)) {
    test(`${name} is for: ${(WHO[needs] ?? []).join(', ')}`, async () => {
      const [method = '', template = ''] = name.split(' ')
      // Nobody's id, and a body that no route accepts: whoever is let in is told so, and nothing happens.
      const path = template.replace('{account}', 'default').replace(/\{\w+\}/g, 'aaaabbbbccccdddd')
      if (name === 'POST /api/sign-out' || name === 'POST /api/signing-keys/rotate') return refusals(name, needs)
      for (const [who, call] of callers) {
        const { status, text } = await call(method, path, method === 'GET' || method === 'DELETE' ? undefined : 'null')
        const isLetIn = status !== 401 && status !== 403
        assert.equal(isLetIn, WHO[needs]?.includes(who), `${who}: ${status} ${text}`)
        assert.ok(isLetIn || status === (who === 'stranger' ? 401 : 403), `${who}: ${status} ${text}`)
      }
    })
  }

  test('a refusal says which role it takes', async () => {
    const refused = await callers.get('viewer')?.('POST', '/api/workspaces', { name: 'x' })
    assert.equal(at(refused?.body, 'detail'), 'This needs the role developer in this account; yours is viewer.')
  })
})

/** Of what would do something: only those who may not. */
async function refusals(name: string, needs: string): Promise<void> {
  const [method = '', path = ''] = name.split(' ')
  for (const [who, call] of callers) {
    if (WHO[needs]?.includes(who)) continue
    assert.equal((await call(method, path)).status, who === 'stranger' ? 401 : 403, who)
  }
}
