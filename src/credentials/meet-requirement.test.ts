import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'
import type { KeyPlace, SecurityRequirement, SecurityScheme } from '../tools/tool.ts'
import { upstreamSettings } from '../workspaces/settings.ts'
import { type Credential, withCookieKeys } from './credential.ts'
import { createCredentials } from './credentials.ts'

const SCHEMES: Readonly<Record<string, SecurityScheme>> = {
  header: { type: 'apiKey', place: { in: 'header', name: 'api_key' } },
  other: { type: 'apiKey', place: { in: 'header', name: 'X-App' } },
  authorization: { type: 'apiKey', place: { in: 'header', name: 'authorization' } },
  cookies: { type: 'apiKey', place: { in: 'header', name: 'Cookie' } },
  query: { type: 'apiKey', place: { in: 'query', name: 'key' } },
  cookie: { type: 'apiKey', place: { in: 'cookie', name: 'sid' } },
  basic: { type: 'http', scheme: 'basic' },
  bearer: { type: 'http', scheme: 'bearer' },
  digest: { type: 'http', scheme: 'digest' },
  oauth: { type: 'oauth2' },
  openid: { type: 'openIdConnect' },
  tls: { type: 'mutualTLS' },
  lost: { type: 'unreadable', reason: 'is not declared in the document' },
}
const named = new Map(Object.entries(SCHEMES).map(([name, scheme]) => [name, { name, scheme }]))

/** `[['a', 'b'], []]`: a and b together, or nothing. */
function requirementOf(alternatives: readonly (readonly string[])[]): SecurityRequirement {
  return alternatives.map((names) =>
    names.map((name) => named.get(name) ?? { name, scheme: { type: 'unreadable', reason: 'was made up' } }),
  )
}

const ctx = { requestId: 'req-1' }
const world = {
  egress: createEgress(),
  reach: 'operator',
  now: () => 1_700_000_000_000,
  writeRecord: () => {},
  workspace: { id: 'abc', slug: 'shop' },
} as const

/** The credential of an operation with that requirement; `document` are the requirements of the others. */
async function credentialFor(
  settings: unknown,
  alternatives: readonly (readonly string[])[] | undefined,
  document: readonly (readonly (readonly string[])[])[] = [],
): Promise<Credential> {
  const requirement = alternatives && requirementOf(alternatives)
  const all = [...(requirement ? [requirement] : []), ...document.map(requirementOf)]
  const upstream = upstreamSettings.parse(settings)
  return createCredentials(upstream, { p: 'from-param' }, world, all).of(requirement).get(ctx)
}

/** What a call is sent with, in words. */
function sentWith({ headers, query, cookies }: Credential): readonly string[] {
  const inHeaders = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [...inHeaders, ...query.map(({ pair }) => `?${pair}`), ...cookies.map(({ pair }) => `cookie ${pair}`)]
}

const bearer = { type: 'bearer', token: 't' }
const basic = { type: 'basic', username: 'u', password: 'p' }
const key = { type: 'apiKey', value: 'k' }
const BASIC = `Authorization: Basic ${Buffer.from('u:p').toString('base64')}`

suite('a requirement is met', () => {
  const cases: readonly {
    name: string
    settings: unknown
    wants: readonly (readonly string[])[]
    sent: readonly string[]
    document?: readonly (readonly (readonly string[])[])[]
  }[] = [
    ...['bearer', 'oauth', 'openid', 'authorization'].map((scheme) => {
      const sent = ['Authorization: Bearer t']
      return { name: `by auth of type bearer for ${scheme}`, settings: { auth: bearer }, wants: [[scheme]], sent }
    }),
    ...['basic', 'authorization'].map((scheme) => {
      return {
        name: `by auth of type basic for ${scheme}`,
        settings: { auth: basic },
        wants: [[scheme]],
        sent: [BASIC],
      }
    }),
    ...['bearer', 'basic', 'digest', 'oauth', 'authorization'].map((scheme) => ({
      name: `by an own header Authorization for ${scheme}`,
      settings: { headers: { authorization: 'Digest {{p}}' } },
      wants: [[scheme]],
      sent: ['authorization: Digest from-param'],
    })),
    {
      name: 'by auth with the key in that header, in any case',
      settings: { auth: { ...key, header: 'API_KEY' } },
      wants: [['header']],
      sent: ['API_KEY: k'],
    },
    {
      name: 'by auth with the key in the query, encoded',
      settings: { auth: { ...key, query: 'key', value: 'a b&c=d#é' } },
      wants: [['query']],
      sent: ['?key=a%20b%26c%3Dd%23%C3%A9'],
    },
    {
      name: 'by auth with the key in a cookie',
      settings: { auth: { ...key, cookie: 'sid' } },
      wants: [['cookie']],
      sent: ['cookie sid=k'],
    },
    {
      name: 'by an own header with that cookie in it',
      settings: { headers: { Cookie: 'a=1; sid={{p}}' } },
      wants: [['cookie']],
      sent: ['Cookie: a=1; sid=from-param'],
    },
    {
      name: 'by the scheme’s own credential, where the document says',
      settings: { auth: bearer, security: { header: { ...key, value: '{{p}}' } } },
      wants: [['header']],
      sent: ['api_key: from-param'],
      document: [[['bearer']]],
    },
    {
      name: 'by the scheme’s own credential, where the settings say',
      settings: { security: { header: { ...key, query: 'k' }, lost: { ...key, header: 'X-Lost' } } },
      wants: [['header', 'lost']],
      sent: ['X-Lost: k', '?k=k'],
    },
    {
      name: 'by a key of its own for another HTTP scheme: the whole header',
      settings: { security: { digest: { ...key, value: 'Token abc' } } },
      wants: [['digest']],
      sent: ['Authorization: Token abc'],
    },
    {
      name: 'by all credentials together',
      settings: { auth: bearer, security: { header: key, query: key, cookie: key, other: key } },
      wants: [['header', 'query', 'cookie', 'other', 'oauth']],
      sent: ['Authorization: Bearer t', 'api_key: k', 'X-App: k', '?key=k', 'cookie sid=k'],
    },
    {
      name: 'by the first alternative that can be',
      settings: { auth: bearer, security: { query: key } },
      wants: [['tls'], ['header'], ['query'], ['bearer']],
      sent: ['?key=k'],
    },
    {
      name: 'by nothing only when nothing else does',
      settings: { auth: bearer },
      wants: [[], ['tls', 'bearer'], ['bearer']],
      sent: ['Authorization: Bearer t'],
    },
    { name: 'by nothing when nothing else does', settings: { auth: bearer }, wants: [['header'], []], sent: [] },
    {
      name: 'by the user’s word that the API does not ask for it',
      settings: { security: { tls: { type: 'none' }, header: { type: 'none' } } },
      wants: [['tls', 'header']],
      sent: [],
    },
    {
      name: 'beside an auth that the document knows nothing of, which goes along',
      settings: { auth: bearer, security: { header: key } },
      wants: [['header']],
      sent: ['Authorization: Bearer t', 'api_key: k'],
    },
    {
      name: 'in the place of an auth that the document knows nothing of',
      settings: { auth: bearer, security: { authorization: { ...key, value: 'Token abc' } } },
      wants: [['authorization']],
      sent: ['authorization: Token abc'],
    },
  ]
  for (const { name, settings, wants, sent, document } of cases) {
    test(name, async () => {
      assert.deepEqual(sentWith(await credentialFor(settings, wants, document)), sent)
    })
  }
})

suite('an operation that wants nothing', () => {
  for (const wants of [[], [[]]]) {
    test(`gets none of the credentials, but the own headers: ${JSON.stringify(wants)}`, async () => {
      const settings = { auth: bearer, headers: { 'X-Tenant': 'north' }, security: { header: key } }
      for (const document of [[[['bearer']]], [[['header']]], [[['tls']]]]) {
        assert.deepEqual(sentWith(await credentialFor(settings, wants, document)), ['X-Tenant: north'])
      }
    })

    test(`gets auth where the document has no scheme that could be read: ${JSON.stringify(wants)}`, async () => {
      for (const document of [[], [[['lost']]]]) {
        assert.deepEqual(sentWith(await credentialFor({ auth: bearer }, wants, document)), ['Authorization: Bearer t'])
      }
    })
  }
})

test('an operation of which nothing is said gets auth and no credential of a scheme', async () => {
  const settings = { auth: bearer, security: { header: key } }
  for (const document of [[], [[['header']]], [[]]]) {
    assert.deepEqual(sentWith(await credentialFor(settings, undefined, document)), ['Authorization: Bearer t'])
  }
})

suite('a requirement that cannot be met is refused', () => {
  const cases = [
    { name: 'with auth none', settings: {}, wants: [['header']], message: /"header" \(a key in the header api_key\)/ },
    { name: 'with another kind', settings: { auth: basic }, wants: [['oauth']], message: /\(OAuth 2.0\).*type bearer/ },
    {
      name: 'with another header',
      settings: { auth: key },
      wants: [['header']],
      message: /upstream\.security\.header/,
    },
    { name: 'with half of it', settings: { auth: bearer }, wants: [['bearer', 'query']], message: /security\.query / },
    {
      name: 'with an empty own header',
      settings: { headers: { api_key: '' } },
      wants: [['header']],
      message: /api_key/,
    },
    { name: 'with another cookie', settings: { headers: { Cookie: 'ssid=1' } }, wants: [['cookie']], message: /sid/ },
    {
      name: 'with two credentials for one place',
      settings: { auth: bearer, security: { basic } },
      wants: [['bearer', 'basic']],
      message: /together with/,
    },
    {
      name: 'with a cookie that a whole Cookie header would replace',
      settings: { headers: { cookie: 'sid=1' }, security: { cookies: { ...key, value: 'a=1' } } },
      wants: [['cookie', 'cookies']],
      message: /together with/,
    },
    {
      name: 'with a TLS certificate, whatever is set for it',
      settings: { auth: bearer, security: { tls: bearer } },
      wants: [['tls']],
      message: /cannot present.*type none/,
    },
    { name: 'with a scheme nobody declared', settings: { auth: bearer }, wants: [['lost']], message: /not declared/ },
    {
      name: 'with a key for it that has no place',
      settings: { security: { lost: key } },
      wants: [['lost']],
      message: /apiKey with its place/,
    },
    {
      name: 'with a credential under a name that only the prototype has',
      settings: {},
      wants: [['constructor']],
      message: /constructor/,
    },
    {
      name: 'with a credential of its own that is not complete',
      settings: { security: { header: { type: 'apiKey', value: '{{nobody_set_this}}' } } },
      wants: [['header'], ['bearer']],
      message: /param nobody_set_this is not set/,
    },
    {
      name: 'with an empty credential of its own',
      settings: { auth: bearer, security: { oauth: { type: 'bearer', token: '' } } },
      wants: [['oauth']],
      message: /Set the token of upstream\.security\.oauth/,
    },
  ]
  for (const { name, settings, wants, message } of cases) {
    test(name, async () => {
      await assert.rejects(credentialFor(settings, wants), { code: 'credential_missing', message })
    })
  }

  test('and the message names schemes and settings, never a value', async () => {
    const settings = {
      auth: { ...key, value: 'canary' },
      headers: { A: 'canary' },
      security: { query: { ...key, value: 'canary' } },
    }
    await assert.rejects(credentialFor(settings, [['header', 'query'], ['bearer']]), (error) => {
      assert.ok(error instanceof GatewayError)
      assert.doesNotMatch(error.message, /canary/)
      return true
    })
  })

  test('also when it was not known when the workspace was compiled', () => {
    const credentials = createCredentials(upstreamSettings.parse({ auth: bearer }), {}, world)
    assert.throws(() => credentials.of([]), { code: 'internal' })
  })
})

test('credentials that no operation asks for are known', () => {
  const upstream = upstreamSettings.parse({ security: { header: key, typo: key } })
  const credentials = createCredentials(upstream, {}, world, [requirementOf([['header']])])
  assert.deepEqual(credentials.unknownNames, ['typo'])
})

// An oracle of its own: looks at what is sent, not at how it was decided.
suite('whatever the document and the settings are', () => {
  const schemeName = fc.constantFrom(...Object.keys(SCHEMES))
  const requirement = fc.array(fc.uniqueArray(schemeName, { maxLength: 3 }), { maxLength: 3 })
  const place = fc.constantFrom(
    {},
    { header: 'api_key' },
    { header: 'Authorization' },
    { query: 'key' },
    { cookie: 'sid' },
  )
  const value = fc.constantFrom('one', 'two')
  const keySetting = fc.tuple(place, value).map(([at, text]) => ({ type: 'apiKey', value: `key-${text}`, ...at }))
  const bearerSetting = value.map((text) => ({ type: 'bearer', token: `bearer-${text}` }))
  const own = fc.oneof(keySetting, bearerSetting, fc.constant(basic))
  const settings = fc.record({
    auth: fc.oneof(fc.constant({ type: 'none' }), keySetting, bearerSetting, fc.constant(basic)),
    security: fc.dictionary(schemeName, own, { maxKeys: 4 }),
    headers: fc.dictionary(fc.constantFrom('api_key', 'Authorization', 'X-App', 'Cookie'), fc.constant('sid=own'), {
      maxKeys: 2,
    }),
  })

  test('an operation with a requirement never goes out without all that one of its alternatives wants', async () => {
    await fc.assert(
      fc.asyncProperty(settings, requirement, fc.array(requirement, { maxLength: 3 }), async (given, wants, others) => {
        const credential = await credentialFor(given, wants, others).catch((error: unknown) => {
          assert.ok(error instanceof GatewayError && error.code === 'credential_missing')
          return undefined
        })
        if (credential === undefined) return
        const needsNone = wants.length === 0 || wants.some((names) => names.length === 0)
        const isSent = wants.some((names) => names.every((name) => carries(credential, name, given.security)))
        assert.ok(needsNone || isSent, JSON.stringify(credential))
      }),
      { numRuns: 3000 },
    )
  })

  /** Whether it stands in the request: where its own credential goes when it has one, else where the document says. */
  function carries(credential: Credential, name: string, security: Readonly<Record<string, object>>): boolean {
    const setting = Object.hasOwn(security, name) ? security[name] : undefined
    const at = setting === undefined ? placeIn(SCHEMES[name]) : (placeOf(setting) ?? placeIn(SCHEMES[name]))
    const text = at && textAt(credential, at)
    if (text === undefined || SCHEMES[name]?.type === 'mutualTLS') return false
    return setting === undefined || text === textOf(setting)
  }

  function placeOf(setting: object): KeyPlace | undefined {
    for (const where of ['header', 'query', 'cookie'] as const) {
      const named: unknown = Reflect.get(setting, where)
      if (typeof named === 'string') return { in: where, name: named }
    }
    return Reflect.get(setting, 'type') === 'apiKey' ? undefined : { in: 'header', name: 'Authorization' }
  }

  function placeIn(scheme: SecurityScheme | undefined): KeyPlace | undefined {
    if (scheme?.type === 'apiKey') return scheme.place
    return scheme?.type === 'mutualTLS' || scheme?.type === 'unreadable'
      ? undefined
      : { in: 'header', name: 'Authorization' }
  }

  function textOf(setting: object): string {
    const [token, text]: unknown[] = [Reflect.get(setting, 'token'), Reflect.get(setting, 'value')]
    if (typeof token === 'string') return `Bearer ${token}`
    return typeof text === 'string' ? text : BASIC.slice('Authorization: '.length)
  }

  function textAt({ headers, query, cookies }: Credential, { in: where, name }: KeyPlace): string | undefined {
    if (where === 'query') return query.find((sent) => sent.name === name)?.value
    const header = (called: string) =>
      Object.entries(withCookieKeys(headers, cookies)).find(([it]) => it.toLowerCase() === called.toLowerCase())?.[1]
    if (where === 'header') return header(name)
    const pair = header('cookie')
      ?.split('; ')
      .find((one) => one.startsWith(`${name}=`))
    return pair?.slice(name.length + 1)
  }
})
