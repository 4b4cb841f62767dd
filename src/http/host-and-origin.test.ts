import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { corsHeaders, preflightHeaders } from './cors.ts'
import { checkHost, checkOrigin, type HostRules, LOOPBACK_HOSTS } from './host-and-origin.ts'

const loopback: HostRules = { hosts: new Set(LOOPBACK_HOSTS), origins: new Set(), loopbackOrigins: true }
const site: HostRules = {
  hosts: new Set(['mcp.example', '[2001:db8::1]']),
  origins: new Set(['https://app.example']),
  loopbackOrigins: false,
}

function refusalOf(check: () => void): string {
  try {
    check()
    return 'ok'
  } catch (error) {
    return error instanceof GatewayError ? error.code : 'defect'
  }
}

suite('checkHost', () => {
  const cases = [
    {
      rules: loopback,
      accepted: ['localhost', 'localhost:8080', 'LocalHost:1', '127.0.0.1', '127.0.0.1:80', '[::1]', '[::1]:8080'],
    },
    { rules: site, accepted: ['mcp.example', 'MCP.Example:443', '[2001:db8::1]:8443', '[2001:DB8::1]'] },
  ] as const
  for (const { rules, accepted } of cases) {
    for (const host of accepted)
      test(`accepts ${host}`, () =>
        assert.equal(
          refusalOf(() => checkHost(host, rules)),
          'ok',
        ))
  }

  const refused = [
    ['a missing Host', undefined],
    ['an empty Host', ''],
    ['a name that was rebound to us', 'attacker.example'],
    ['our name as a prefix', 'localhost.evil.example'],
    ['our name as a suffix', 'evil-localhost'],
    ['our name as a subdomain of nothing', 'evil.localhost'],
    ['our address as a prefix', '127.0.0.1.nip.io:8080'],
    ['our name before an @', 'localhost@evil.example'],
    ['our name behind an @', 'evil@localhost'],
    ['our name behind an @ and a port', 'evil:80@localhost:80'],
    ['two Hosts that were joined', 'localhost, evil.example'],
    ['two ports', 'localhost:80:80'],
    ['a final dot', 'localhost.'],
    ['another loopback address', '127.0.0.2'],
    ['the unspecified address', '0.0.0.0:8080'],
    ['our address in decimal', '2130706433'],
    ['IPv6 without brackets', '::1'],
    ['a mapped address', '[::ffff:127.0.0.1]'],
    ['something behind the brackets', '[::1].evil.example'],
    ['something before the brackets', 'evil[::1]'],
    ['spaces', ' localhost '],
  ] as const
  for (const [name, host] of refused) {
    test(`refuses ${name}`, () =>
      assert.equal(
        refusalOf(() => checkHost(host, loopback)),
        'host_not_allowed',
      ))
  }

  test('refuses this machine’s names where only a public name is served', () => {
    for (const host of LOOPBACK_HOSTS)
      assert.equal(
        refusalOf(() => checkHost(host, site)),
        'host_not_allowed',
      )
  })

  test('accepts no text but a known name and a port', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), fc.constantFrom('localhost', '127.0.0.1'), (text, name) => {
        for (const host of [text + name, `${text}.${name}`, `${name}.${text}`, `${name}@${text}`]) {
          const isOurs = host.toLowerCase().replace(/:[^:]*$/, '') === name || host.toLowerCase() === name
          if (!isOurs)
            assert.equal(
              refusalOf(() => checkHost(host, loopback)),
              'host_not_allowed',
            )
        }
      }),
    )
  })
})

suite('checkOrigin', () => {
  const accepted = [
    ['no Origin: no page of a browser', undefined, site],
    ['an origin that is named', 'https://app.example', site],
    ['a page of this machine on any port', 'http://localhost:5173', loopback],
    ['a page of this machine by address', 'https://127.0.0.1', loopback],
    ['a page of this machine by IPv6 address', 'http://[::1]:3000', loopback],
  ] as const
  for (const [name, origin, rules] of accepted) {
    test(`accepts ${name}`, () =>
      assert.equal(
        refusalOf(() => checkOrigin(origin, rules)),
        'ok',
      ))
  }

  const refused = [
    ['a page of another site', 'https://evil.example'],
    ['a sandboxed page', 'null'],
    ['an empty Origin', ''],
    ['our name as a prefix', 'http://localhost.evil.example'],
    ['our name as a suffix', 'http://evil-localhost'],
    ['our address as a prefix', 'http://127.0.0.1.nip.io'],
    ['our name as a user', 'http://localhost@evil.example'],
    ['our name as a user with a port', 'http://localhost:80@evil.example'],
    ['a user before our name', 'http://evil.example@localhost'],
    ['our name behind a backslash', 'http://evil.example\\@localhost'],
    ['our name before a backslash', 'http://localhost\\.evil.example'],
    ['our name in a path', 'http://evil.example/localhost'],
    ['a path behind our name', 'http://localhost/evil'],
    ['a slash behind our name', 'http://localhost/'],
    ['our address in decimal', 'http://2130706433'],
    ['our address in short', 'http://127.1'],
    ['another scheme', 'file://localhost'],
    ['a scheme that no page has', 'ftp://localhost'],
    ['an extension', 'chrome-extension://localhost'],
    ['two origins', 'http://localhost http://evil.example'],
    ['two origins that were joined', 'http://localhost, http://evil.example'],
  ] as const
  for (const [name, origin] of refused) {
    test(`refuses ${name}`, () =>
      assert.equal(
        refusalOf(() => checkOrigin(origin, loopback)),
        'origin_not_allowed',
      ))
  }

  for (const origin of ['http://localhost', 'http://app.example', 'https://app.example:8443', 'https://APP.example']) {
    test(`refuses ${origin} where https://app.example is named`, () =>
      assert.equal(
        refusalOf(() => checkOrigin(origin, site)),
        'origin_not_allowed',
      ))
  }

  test('refuses null even when somebody put it on the list', () => {
    const rules = { ...site, origins: new Set(['null']) }
    assert.equal(
      refusalOf(() => checkOrigin('null', rules)),
      'origin_not_allowed',
    )
  })
})

suite('CORS', () => {
  test('names the one origin that asked, never *, never credentials', () => {
    const headers = corsHeaders('https://app.example', site)
    assert.equal(headers?.['Access-Control-Allow-Origin'], 'https://app.example')
    assert.equal(headers?.['Vary'], 'Origin')
    assert.equal(headers?.['Access-Control-Allow-Credentials'], undefined)
    const exposed = headers?.['Access-Control-Expose-Headers']?.split(', ') ?? []
    for (const name of ['Mcp-Session-Id', 'WWW-Authenticate', 'X-Request-Id']) assert.ok(exposed.includes(name), name)
  })

  test('says nothing to other origins, nor where there is none', () => {
    for (const origin of [undefined, 'null', 'https://evil.example', 'http://localhost']) {
      assert.equal(corsHeaders(origin, site), undefined)
    }
  })

  test('a preflight grants what MCP clients send', () => {
    const granted = preflightHeaders(undefined)['Access-Control-Allow-Headers']?.toLowerCase().split(', ') ?? []
    const sent = 'authorization content-type accept mcp-session-id mcp-protocol-version mcp-method mcp-name x-api-key'
    for (const name of sent.split(' ')) assert.ok(granted.includes(name), name)
  })

  test('a preflight grants the parameter headers that are asked for, at most 20, and nothing else', () => {
    const asked = ['Mcp-Param-City', 'X-Evil', 'Mcp-Param-', 'Mcp-Param-a\r\nX: y', 'mcp-param-two']
    const granted = preflightHeaders(asked.join(', '))['Access-Control-Allow-Headers'] ?? ''
    assert.match(granted, /, Mcp-Param-City, mcp-param-two$/)
    assert.doesNotMatch(granted, /evil|\n/i)
    const many = Array.from({ length: 1000 }, (_, index) => `mcp-param-${index}`).join(',')
    const all = preflightHeaders(many)['Access-Control-Allow-Headers'] ?? ''
    assert.equal(all.match(/mcp-param-/g)?.length, 20)
  })
})
