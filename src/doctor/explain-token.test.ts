import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { explainToken } from './explain-token.ts'

const NOW = 1_800_000_000_000
const jwt = (header: object, claims: object) =>
  `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.AAAA`
const findings = (header: object, claims: object) => explainToken(jwt(header, claims), NOW).findings.join('\n')
const good = { iss: 'https://a', aud: 'x', exp: NOW / 1000 + 60 }

suite('what a token says of itself', () => {
  test('is told with what would have it refused, and never as verified', () => {
    assert.match(findings({ alg: 'ES256' }, good), /^It could be good at this moment.*\nIts signature was not verified/)
    assert.match(findings({ alg: 'none' }, good), /It is not signed/)
    assert.match(findings({ alg: 'ES256', crit: ['b64'] }, good), /critical header/)
    assert.match(
      findings({ alg: 'ES256' }, { ...good, exp: 5 }),
      /would be refused now: JWT token has expired \(exp is 5\)/,
    )
    assert.match(findings({ alg: 'ES256' }, { ...good, exp: undefined }), /no exp: good only where it was issued/)
    assert.match(findings({ alg: 'ES256' }, { ...good, aud: undefined }), /names no audience/)
    assert.match(findings({ alg: 'ES256' }, { ...good, nbf: NOW / 1000 + 5 }), /not valid yet/)
    assert.match(findings({ alg: 'ES256' }, { ...good, typ: 'ID' }), /marked|type/)
  })

  test('that is no token is said to be none, without repeating it', () => {
    const text = 'my-secret-thing'
    const explained = explainToken(text, NOW)
    assert.match(explained.findings.join(), /This is no JWT/)
    assert.ok(!JSON.stringify(explained).includes(text))
  })

  test('never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.json(), fc.json(), (text, header, claims) => {
        explainToken(text, NOW)
        const parts = [header, claims].map((part) => Buffer.from(part).toString('base64url'))
        explainToken(`${parts.join('.')}.AAAA`, NOW)
      }),
    )
  })
})
