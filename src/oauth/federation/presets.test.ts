import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type IdentityProvider, startIdentityProvider } from '../../testing/identity-provider.ts'
import { CLIENT, CLIENT_ID, CLIENT_SECRET, failureOf, signIn, standOf } from './federation.test-support.ts'

const TENANT = '11111111-2222-3333-4444-555555555555'
const OTHER = '99999999-2222-3333-4444-555555555555'
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'
const ANY = '{tenantid}'
const credentials = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, allow: { domains: ['example.com'] } }

interface EntraShape {
  /** What stands for the directory in the issuer of the metadata. */
  readonly inMetadata: string
  readonly tid?: unknown
  /** The directory in `iss`. Default: `tid`. */
  readonly inIssuer?: string
}

/** Entra’s shape over a real provider: metadata under the directory’s path, an issuer that carries the directory. */
async function startEntra({ inMetadata, tid = TENANT, inIssuer = String(tid) }: EntraShape): Promise<IdentityProvider> {
  const idp = await startIdentityProvider({ clients: [CLIENT] })
  idp.person = { sub: 'p', email: 'ada@example.com', name: 'Ada', xms_edov: true }
  idp.misbehaviour = {
    withoutIss: true,
    intercept: (request) => {
      request.url = request.url?.replace(/^\/[^/]+\/v2\.0\/\.well-known/, '/.well-known') ?? '/'
      return false
    },
    metadata: (metadata) => ({
      ...metadata,
      issuer: `${idp.url}/${inMetadata}/v2.0`,
      authorization_response_iss_parameter_supported: undefined,
    }),
    claims: (claims) => ({ ...claims, tid, iss: `${idp.url}/${inIssuer}/v2.0` }),
  }
  return idp
}

function microsoft(idp: IdentityProvider, tenant: string) {
  return standOf({ type: 'microsoft', tenant, baseUrl: idp.url, ...credentials })
}

suite('signing in at Microsoft', () => {
  const taken = [
    { tenant: TENANT, shape: { inMetadata: TENANT } },
    { tenant: 'example.onmicrosoft.com', shape: { inMetadata: TENANT } },
    { tenant: 'organizations', shape: { inMetadata: ANY } },
    { tenant: 'common', shape: { inMetadata: ANY } },
    { tenant: 'common', shape: { inMetadata: ANY, tid: CONSUMERS } },
    { tenant: 'consumers', shape: { inMetadata: CONSUMERS, tid: CONSUMERS } },
  ]
  for (const { tenant, shape } of taken) {
    test(`at ${tenant} takes a token of ${shape.tid ?? TENANT}, whose issuer carries it`, async () => {
      await using idp = await startEntra(shape)
      await using stand = microsoft(idp, tenant)
      const { issuer, email, isAllowed } = await signIn(stand.provider)
      const own = `${idp.url}/${shape.tid ?? TENANT}/v2.0`
      assert.deepEqual([issuer, email, isAllowed], [own, 'ada@example.com', true])
    })
  }

  const refused = [
    {
      name: 'a directory that is not ours',
      tenant: TENANT,
      shape: { inMetadata: TENANT, tid: OTHER, inIssuer: TENANT },
      cause: /not the one of its directory/,
    },
    {
      name: 'a directory that was not meant',
      tenant: TENANT,
      shape: { inMetadata: TENANT, tid: OTHER },
      cause: /"iss"/,
    },
    {
      name: 'the directory of another issuer',
      tenant: 'common',
      shape: { inMetadata: ANY, tid: OTHER, inIssuer: TENANT },
      cause: /"iss"/,
    },
    {
      name: 'no directory',
      tenant: 'common',
      shape: { inMetadata: ANY, tid: 7, inIssuer: '7' },
      cause: /names no directory/,
    },
    {
      name: 'a directory that is a path',
      tenant: 'common',
      shape: { inMetadata: ANY, tid: '../x' },
      cause: /names no directory/,
    },
    {
      name: 'a personal account',
      tenant: 'organizations',
      shape: { inMetadata: ANY, tid: CONSUMERS },
      cause: /not meant here/,
    },
    {
      name: 'a company’s account',
      tenant: 'consumers',
      shape: { inMetadata: ANY, tid: TENANT },
      cause: /not meant here/,
    },
    { name: 'metadata of another directory', tenant: TENANT, shape: { inMetadata: OTHER }, cause: /in its metadata/ },
    { name: 'metadata of every directory', tenant: TENANT, shape: { inMetadata: ANY }, cause: /in its metadata/ },
  ]
  for (const { name, tenant, shape, cause } of refused) {
    test(`at ${tenant} refuses ${name} (T10)`, async () => {
      await using idp = await startEntra(shape)
      await using stand = microsoft(idp, tenant)
      const failure = await failureOf(signIn(stand.provider))
      assert.equal(failure.code, 'login_failed')
      assert.match(failure.cause, cause)
    })
  }

  test('takes no e-mail that an administrator elsewhere has typed in (T11)', async () => {
    for (const xms_edov of [undefined, false, 0, '0', 'false', 'yes']) {
      await using idp = await startEntra({ inMetadata: ANY })
      await using stand = microsoft(idp, 'common')
      idp.person = { sub: 'p', email: 'ada@example.com', email_verified: true, xms_edov }
      const { email, isAllowed } = await signIn(stand.provider)
      assert.deepEqual([email, isAllowed], [undefined, false])
    }
  })
})

suite('somebody who was allowed when he signed in', () => {
  const cases = [
    { allow: 'anyone', email: undefined, wasAllowed: true, still: true },
    { allow: 'anyone', email: undefined, wasAllowed: false, still: false },
    { allow: { domains: ['example.com'] }, email: 'ada@example.com', wasAllowed: true, still: true },
    { allow: { domains: ['other.example'] }, email: 'ada@example.com', wasAllowed: true, still: false },
    { allow: { domains: ['example.com'] }, email: 'ada@example.com', wasAllowed: false, still: false },
    { allow: { emails: ['eve@example.com'] }, email: 'ada@example.com', wasAllowed: true, still: false },
    { allow: { emails: ['eve@example.com'] }, email: undefined, wasAllowed: true, still: false },
  ]
  for (const { allow, email, wasAllowed, still } of cases) {
    test(`${still ? 'still is' : 'is not'} by ${JSON.stringify(allow)}, as ${email}, allowed then: ${wasAllowed}`, async () => {
      for (const type of ['google', 'github']) {
        await using stand = standOf({ ...credentials, type, allow })
        assert.equal(stand.provider.stillAllows({ email, isAllowed: wasAllowed }), still)
      }
    })
  }
})

suite('signing in at Google', () => {
  const cases = [
    { name: 'an account of the company', person: { email: 'ada@example.com', hd: 'Example.com' }, isAllowed: true },
    { name: 'a private account with the company’s e-mail', person: { email: 'ada@example.com' }, isAllowed: false },
    {
      name: 'an account of another company',
      person: { email: 'ada@example.com', hd: 'evil.example' },
      isAllowed: false,
    },
    {
      name: 'an e-mail that only ends like ours',
      person: { email: 'a@notexample.com', hd: 'example.com' },
      isAllowed: false,
    },
    { name: 'another e-mail with our hd', person: { email: 'ada@evil.example', hd: 'example.com' }, isAllowed: false },
    { name: 'an account of Gmail, where that is a domain', person: { email: 'ada@gmail.com' }, isAllowed: true },
  ]
  for (const { name, person, isAllowed } of cases) {
    test(`${isAllowed ? 'lets in' : 'does not let in'} ${name} by its domain (T11)`, async () => {
      await using idp = await startIdentityProvider({ clients: [CLIENT] })
      const allow = { domains: ['example.com', 'gmail.com'] }
      await using stand = standOf({ type: 'google', issuer: idp.url, ...credentials, allow })
      idp.person = { sub: 'p', email_verified: true, ...person }
      assert.equal((await signIn(stand.provider)).isAllowed, isAllowed)
    })
  }
})
