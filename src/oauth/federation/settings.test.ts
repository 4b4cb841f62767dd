import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createEgress } from '../../egress/create-egress.ts'
import { isAllowed, plainEmail } from '../../identify/allowed.ts'
import { allowSettings } from '../../workspaces/allow-settings.ts'
import { problemsOf } from '../../workspaces/settings.ts'
import { createSignInProviders } from './create-sign-in-providers.ts'
import { signInProvidersSettings } from './settings.ts'

const google = { type: 'google', clientId: 'c', clientSecret: 's', allow: 'anyone' }
const oidc = { type: 'oidc', issuer: 'https://idp.example', clientId: 'c', clientSecret: 's', allow: 'anyone' }

function problems(providers: readonly unknown[]): string {
  const parsed = signInProvidersSettings.safeParse(providers)
  return parsed.success ? '' : problemsOf(parsed.error).join('\n')
}

suite('the settings of a provider', () => {
  test('take Google, Microsoft, GitHub and any other side by side', () => {
    const microsoft = { ...google, type: 'microsoft', tenant: 'organizations' }
    assert.equal(problems([google, microsoft, { ...google, type: 'github' }, oidc, { ...oidc, id: 'second' }]), '')
  })

  const refused = [
    { name: 'nobody is named in allow', provider: { ...google, allow: undefined }, says: /allow/ },
    { name: 'allow is empty', provider: { ...google, allow: {} }, says: /names nobody/ },
    {
      name: 'a domain is a pattern',
      provider: { ...google, allow: { domains: ['*.example.com'] } },
      says: /without @ or \*/,
    },
    {
      name: 'a domain is a whole country',
      provider: { ...google, allow: { domains: ['com'] } },
      says: /a domain such as/,
    },
    { name: 'the secret is empty', provider: { ...google, clientSecret: '' }, says: /clientSecret/ },
    { name: 'Microsoft has no tenant', provider: { ...google, type: 'microsoft' }, says: /tenant/ },
    { name: 'a secret and a key are given', provider: { ...oidc, privateKey: 'x' }, says: /exactly one/ },
    { name: 'neither is given', provider: { ...oidc, clientSecret: undefined }, says: /exactly one/ },
    { name: 'openid is not asked for', provider: { ...oidc, scopes: ['email'] }, says: /must hold openid/ },
    { name: 'a key is unknown', provider: { ...google, secret: 'x' }, says: /secret/ },
  ]
  for (const { name, provider, says } of refused) {
    test(`are refused when ${name}`, () => assert.match(problems([provider]), says))
  }

  test('are refused when two have one id', () => assert.match(problems([oidc, oidc]), /two have the id oidc/))

  const unusable = [
    {
      name: 'an address is http in public',
      provider: { ...oidc, issuer: 'http://idp.example' },
      says: /issuer of oidc must be https/,
    },
    {
      name: 'the key is none',
      provider: { ...oidc, clientSecret: undefined, privateKey: 'no key' },
      says: /not a private key/,
    },
  ]
  for (const { name, provider, says } of unusable) {
    test(`do not start when ${name}`, async () => {
      const egress = createEgress()
      const parsed = signInProvidersSettings.parse([provider])
      assert.throws(() => createSignInProviders(parsed, { egress, now: Date.now }), says)
      await egress.close()
    })
  }
})

suite('allow', () => {
  const cases = [
    { email: 'ada@example.com', isIn: true },
    { email: 'ada@a.example.com', isIn: false },
    { email: 'ada@notexample.com', isIn: false },
    { email: 'ada@example.com.evil.example', isIn: false },
    { email: 'example.com@evil.example', isIn: false },
    { email: '"ada@example.com"@evil.example', isIn: false },
    { email: 'guest@elsewhere.example', isIn: true },
    { email: undefined, isIn: false },
  ]
  const allow = allowSettings.parse({ emails: ['Guest@Elsewhere.example'], domains: ['Example.COM'] })
  for (const { email, isIn } of cases) {
    test(`of a domain and an e-mail ${isIn ? 'lets in' : 'does not let in'} ${email}`, () =>
      assert.equal(isAllowed(allow, { email }), isIn))
  }

  test('anyone lets in whoever signed in, with or without an e-mail', () =>
    assert.equal(isAllowed('anyone', { email: undefined }), true))
})

suite('an e-mail is compared', () => {
  const cases = [
    { value: ' Ada@Example.com ', plain: 'ada@example.com' },
    { value: 'ada@exam\u212Ale.com', plain: undefined },
    { value: 'ada\u0131@example.com', plain: undefined },
    { value: 'ada@example.com\n', plain: 'ada@example.com' },
    { value: 'ada@example.com\u0000', plain: undefined },
    { value: 'ada@b@example.com', plain: undefined },
    { value: 'ada', plain: undefined },
    { value: ['ada@example.com'], plain: undefined },
    { value: `${'a'.repeat(250)}@example.com`, plain: undefined },
  ]
  for (const { value, plain } of cases) {
    test(`${JSON.stringify(value).slice(0, 40)} as ${plain}`, () => assert.equal(plainEmail(value), plain))
  }
})
