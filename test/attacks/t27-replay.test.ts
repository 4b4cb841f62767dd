import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { makeDpopKey } from '../../src/testing/dpop-key.ts'
import { startEnterpriseProvider } from '../flows/enterprise-provider.ts'
import { type Answered, send } from '../flows/http.ts'
import { basic, givenIn, refusalIn, SECRET, statusWith } from '../flows/oauth-grants-stand.ts'
import { startReplicas } from '../flows/oauth-replicas.ts'
import { startOAuthStand } from '../flows/oauth-stand.ts'
import { redisIsMissing } from '../redis/find-redis.ts'

const keys = await generateKeyPair('ES256')
const SIGNER = {
  ...{ id: 'signer', name: 'Signer', grants: ['client_credentials'], workspaces: ['*'] },
  jwks: { keys: [{ ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: 'k1' }] },
}
const SECRETIVE = { ...SIGNER, id: 'secretive', jwks: undefined, secret: SECRET }
const DESK = { ...SECRETIVE, id: 'desk', grants: ['jwt_bearer'] }
const CLIENTS = [SIGNER, SECRETIVE, DESK]

function askAt(origin: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) {
  const body = new URLSearchParams(form).toString()
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  return send('POST', `${origin}/oauth/token`, { body, headers: { ...type, ...headers } })
}

function clientAssertion(issuer: string): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const claims = { iss: 'signer', sub: 'signer', aud: issuer, jti: crypto.randomUUID(), exp: nowSeconds + 60 }
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(keys.privateKey)
}

interface Place {
  readonly issuer: string
  readonly resource: string
  readonly path: string
  readonly origins: readonly string[]
}

/** Each makes something that counts once and gives how it is shown at an origin. */
const ATTEMPTS = [
  {
    name: 'a client’s assertion',
    expected: '401 invalid_client',
    async make({ issuer, resource }: Place) {
      const form = {
        ...{ grant_type: 'client_credentials', resource, client_assertion: await clientAssertion(issuer) },
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }
      return (origin: string) => askAt(origin, form)
    },
  },
  {
    name: 'a proof at the token endpoint',
    expected: '400 invalid_dpop_proof',
    async make({ issuer, resource }: Place) {
      const dpop = await (await makeDpopKey()).proof('POST', `${issuer}/oauth/token`)
      const form = { grant_type: 'client_credentials', resource }
      return (origin: string) => askAt(origin, form, { ...basic('secretive'), dpop })
    },
  },
] as const

/** All at the same moment, at these origins in turn: one of them counts. */
async function race(show: (origin: string) => Promise<Answered>, origins: readonly string[]): Promise<number> {
  const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => show(origins[n % origins.length] ?? '')))
  return answers.filter(({ status }) => status === 200).length
}

async function startAlone() {
  await using parts = new AsyncDisposableStack()
  const idp = parts.use(await startEnterpriseProvider(['desk']))
  const stand = parts.use(await startOAuthStand({ oauth: { clients: CLIENTS, enterpriseProviders: [idp.settings] } }))
  const issuer = stand.gateway.url
  const path = stand.endpoint.slice(issuer.length)
  const place: Place = { issuer, resource: stand.endpoint, path, origins: [issuer] }
  const started = parts.move()
  return { idp, stand, place, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function startTwo() {
  await using parts = new AsyncDisposableStack()
  const idp = parts.use(await startEnterpriseProvider(['desk']))
  const replicas = parts.use(await startReplicas({ clients: CLIENTS, enterpriseProviders: [idp.settings] }))
  const { publicUrl: issuer, path, origins } = replicas
  const place: Place = { issuer, resource: issuer + path, path, origins }
  const started = parts.move()
  return { idp, place, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function boundCall({ issuer, resource, path, origins: [first = ''] }: Place) {
  const key = await makeDpopKey()
  const dpop = await key.proof('POST', `${issuer}/oauth/token`)
  const form = { grant_type: 'client_credentials', resource }
  const token = givenIn(await askAt(first, form, { ...basic('secretive'), dpop })).access_token
  const headers = { authorization: `DPoP ${token}`, dpop: await key.proof('POST', issuer + path, { token }) }
  return (origin: string) => statusWith(origin + path, headers)
}

function enterpriseCall({ resource, issuer }: Place, assertion: string) {
  assert.ok(resource.startsWith(issuer))
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
  return (origin: string) => askAt(origin, form, basic('desk'))
}

suite('T27: what counts once is refused the second time, also after a restart and of several at once:', () => {
  for (const { name, expected, make } of ATTEMPTS) {
    test(name, async () => {
      await using it = await startAlone()
      const show = await make(it.place)
      givenIn(await show(it.place.issuer))
      assert.equal(refusalIn(await show(it.place.issuer)), expected)
      await it.stand.gateway.restart()
      assert.equal(refusalIn(await show(it.place.issuer)), expected)
      assert.equal(await race(await make(it.place), it.place.origins), 1)
    })
  }

  test('an enterprise’s assertion', async () => {
    await using it = await startAlone()
    const { resource, issuer, origins } = it.place
    const show = enterpriseCall(it.place, await it.idp.assertion(resource))
    givenIn(await show(issuer))
    assert.equal(refusalIn(await show(issuer)), '400 invalid_grant')
    await it.stand.gateway.restart()
    assert.equal(refusalIn(await show(issuer)), '400 invalid_grant')
    assert.equal(await race(enterpriseCall(it.place, await it.idp.assertion(resource)), origins), 1)
  })

  test('an enterprise’s assertion that was refused for its person', async () => {
    await using it = await startAlone()
    const { resource, issuer } = it.place
    const claims = { email: 'bob@example.com', sub: 'bob' }
    const show = enterpriseCall(it.place, await it.idp.assertion(resource, { claims }))
    assert.equal(refusalIn(await show(issuer)), '400 invalid_grant')
    await it.stand.addPerson('bob@example.com')
    assert.match((await show(issuer)).text, /used before/)
  })

  test('a proof at a workspace', async () => {
    await using it = await startAlone()
    const { issuer } = it.place
    const call = await boundCall(it.place)
    assert.equal(await call(issuer), 200)
    assert.equal(await call(issuer), 401)
    const another = await boundCall(it.place)
    const statuses = await Promise.all([issuer, issuer, issuer, issuer].map(another))
    assert.deepEqual(statuses.toSorted(), [200, 401, 401, 401])
  })
})

suite('T27: of two processes over one Redis, what one has taken the other refuses:', {
  skip: redisIsMissing() ?? false,
}, () => {
  for (const { name, expected, make } of ATTEMPTS) {
    test(name, async () => {
      await using it = await startTwo()
      const [left = '', right = ''] = it.place.origins
      const show = await make(it.place)
      givenIn(await show(left))
      assert.equal(refusalIn(await show(right)), expected)
      assert.equal(await race(await make(it.place), it.place.origins), 1)
    })
  }

  test('an enterprise’s assertion', async () => {
    await using it = await startTwo()
    const { resource, issuer, origins } = it.place
    const [left = '', right = ''] = origins
    const assertion = () => it.idp.assertion(resource, { claims: { aud: issuer } })
    const show = enterpriseCall(it.place, await assertion())
    givenIn(await show(left))
    assert.equal(refusalIn(await show(right)), '400 invalid_grant')
    assert.equal(await race(enterpriseCall(it.place, await assertion()), origins), 1)
  })

  test('a proof at a workspace', async () => {
    await using it = await startTwo()
    const [left = '', right = ''] = it.place.origins
    // Both take the token; it is the proof that counts once.
    assert.equal(await (await boundCall(it.place))(right), 200)
    const call = await boundCall(it.place)
    assert.equal(await call(left), 200)
    assert.equal(await call(right), 401)
    const another = await boundCall(it.place)
    const statuses = await Promise.all([left, right, left, right].map(another))
    assert.deepEqual(statuses.toSorted(), [200, 401, 401, 401])
  })
})
