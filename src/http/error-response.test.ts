import assert from 'node:assert/strict'
import { validateHeaderValue } from 'node:http'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type ErrorCode, GatewayError } from '../errors.ts'
import { apiErrorAnswer, type ChallengeContext, mcpErrorAnswer, statusOf } from './error-response.ts'
import type { Answer } from './exchange.ts'

// HTTP status and JSON-RPC code on an MCP endpoint, written down a second time: a change must be meant.
const WIRE: Readonly<Record<ErrorCode, readonly [status: number, rpc: number]>> = {
  missing_token: [401, -32000],
  invalid_token: [401, -32000],
  insufficient_scope: [403, -32000],
  forbidden: [403, -32000],
  host_not_allowed: [403, -32000],
  origin_not_allowed: [403, -32000],
  invalid_request: [400, -32600],
  not_found: [404, -32001],
  method_not_allowed: [405, -32000],
  not_acceptable: [406, -32000],
  unsupported_media_type: [415, -32000],
  payload_too_large: [413, -32000],
  request_timeout: [408, -32000],
  conflict: [409, -32000],
  rate_limited: [429, -32000],
  parse_error: [400, -32700],
  invalid_message: [400, -32600],
  method_not_found: [404, -32601],
  invalid_params: [200, -32602],
  invalid_arguments: [200, -32602],
  envelope_invalid: [400, -32602],
  header_mismatch: [400, -32020],
  unsupported_version: [400, -32022],
  missing_capability: [400, -32021],
  session_not_found: [404, -32001],
  document_invalid: [422, -32000],
  config_invalid: [422, -32000],
  login_failed: [502, -32000],
  credential_missing: [502, -32000],
  unsafe_value: [400, -32602],
  egress_refused: [422, -32000],
  upstream_unreachable: [502, -32000],
  upstream_refused: [502, -32000],
  upstream_timeout: [504, -32000],
  upstream_too_large: [502, -32000],
  identity_provider_unavailable: [503, -32000],
  cancelled: [499, -32000],
  unavailable: [503, -32000],
  internal: [500, -32603],
}
const METADATA_URL = 'https://mcp.example/.well-known/oauth-protected-resource/a-1'
const MODERN: ChallengeContext = { resourceMetadataUrl: METADATA_URL, replyTo: { id: 7, era: 'modern' } }
const LEGACY: ChallengeContext = { resourceMetadataUrl: METADATA_URL, replyTo: { id: 'seven', era: 'legacy' } }
const UNREAD: ChallengeContext = { resourceMetadataUrl: undefined, replyTo: undefined }

const isCode = (text: string): text is ErrorCode => text in WIRE
const CODES = Object.keys(WIRE).filter(isCode)
const code = fc.constantFrom(...CODES)

function bodyOf(answer: Answer): Record<string, unknown> {
  const body: unknown = JSON.parse(answer.body ?? '')
  assert.ok(typeof body === 'object' && body !== null)
  return { ...body }
}

function challengeOf(error: GatewayError, context = MODERN): string | undefined {
  return mcpErrorAnswer(error, context).headers?.['WWW-Authenticate']
}

suite('every error code has its status and JSON-RPC code', () => {
  for (const name of CODES) {
    const [status, rpc] = WIRE[name]
    test(`${name}: ${status}, ${rpc}`, () => {
      const answer = mcpErrorAnswer(new GatewayError(name, 'What went wrong.'), MODERN)
      assert.equal(answer.status, status)
      assert.equal(statusOf(new GatewayError(name, ''), 'modern'), status)
      if ((status === 401 || status === 403) && rpc === -32000 && !name.endsWith('_not_allowed')) return
      assert.deepEqual(bodyOf(answer), { jsonrpc: '2.0', id: 7, error: { code: rpc, message: 'What went wrong.' } })
    })
  }

  test('the older era has its own for an unknown method (200) and an unknown version (-32000)', () => {
    const method = mcpErrorAnswer(new GatewayError('method_not_found', 'Method not found'), LEGACY)
    assert.equal(method.status, 200)
    assert.deepEqual(bodyOf(method)['error'], { code: -32601, message: 'Method not found' })
    const version = mcpErrorAnswer(new GatewayError('unsupported_version', 'No.', { data: { supported: [] } }), LEGACY)
    assert.equal(version.status, 400)
    assert.deepEqual(bodyOf(version)['error'], { code: -32000, message: 'No.', data: { supported: [] } })
  })

  test('an error before the message was read answers no id', () => {
    assert.equal(bodyOf(mcpErrorAnswer(new GatewayError('parse_error', 'Parse error'), UNREAD))['id'], null)
  })

  test('Allow and Retry-After come with the errors that carry them', () => {
    const allow = mcpErrorAnswer(new GatewayError('method_not_allowed', 'No.', { allow: ['POST', 'DELETE'] }), MODERN)
    assert.deepEqual(allow.headers, { Allow: 'POST, DELETE' })
    const busy = apiErrorAnswer(new GatewayError('unavailable', 'Busy.', { retryAfterSeconds: 3 }))
    assert.deepEqual(busy.headers, { 'Retry-After': '3' })
  })
})

suite('a challenge (RFC 6750 §3, RFC 9728 §5.1)', () => {
  test('without a token has no error, only the way to get one', () => {
    const error = new GatewayError('missing_token', 'No authorization header provided')
    assert.equal(challengeOf(error), `Bearer resource_metadata="${METADATA_URL}"`)
    assert.equal(challengeOf(error, UNREAD), 'Bearer')
  })

  test('for a bad token names the error, the kind of failure and the metadata', () => {
    assert.equal(
      challengeOf(new GatewayError('invalid_token', 'The token has expired')),
      `Bearer error="invalid_token", error_description="The token has expired", resource_metadata="${METADATA_URL}"`,
    )
  })

  test('for a missing scope is 403 and lists every scope the call needs', () => {
    const error = new GatewayError('insufficient_scope', 'More is needed.', { scopes: ['items:read', 'items:write'] })
    const answer = mcpErrorAnswer(error, MODERN)
    assert.equal(answer.status, 403)
    assert.equal(
      answer.headers?.['WWW-Authenticate'],
      `Bearer error="insufficient_scope", error_description="More is needed.", scope="items:read items:write", resource_metadata="${METADATA_URL}"`,
    )
    assert.deepEqual(bodyOf(answer), {
      error: 'insufficient_scope',
      error_description: 'More is needed.',
      message: 'More is needed.',
      code: 'INSUFFICIENT_SCOPE',
      scope: 'items:read items:write',
    })
  })

  for (const name of ['missing_token', 'invalid_token'] as const) {
    test(`${name}: the body is the one of PRODUCT.md, rule 1`, () => {
      assert.deepEqual(bodyOf(mcpErrorAnswer(new GatewayError(name, 'Why.'), MODERN)), {
        error: 'invalid_token',
        error_description: 'Why.',
        message: 'Why.',
        code: 'AUTHENTICATION_FAILED',
      })
    })
  }

  test('cannot be broken out of, whatever the message, the scopes and the address hold', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('", error="none', '\r\nSet-Cookie: a=b', '\\', '\u0000', 'ü', '\u{1f600}', '\u2028'),
    )
    fc.assert(
      fc.property(hostile, fc.array(hostile), hostile, (message, scopes, address) => {
        const error = new GatewayError('insufficient_scope', message, { scopes })
        const value = challengeOf(error, { resourceMetadataUrl: `https://a/${address}`, replyTo: undefined }) ?? ''
        assert.doesNotThrow(() => validateHeaderValue('WWW-Authenticate', value))
        // Exactly the parameters that we mean: quotes and backslashes inside a value are gone.
        assert.match(
          value,
          /^Bearer error="insufficient_scope", error_description="[^"\\]*"(, scope="[^"\\]*")?, resource_metadata="https:\/\/a\/[^"\\]*"$/,
        )
      }),
    )
  })
})

suite('the API answers', () => {
  test('problem+json with the code and the status that is sent (RFC 9457)', () => {
    for (const name of CODES) {
      const answer = apiErrorAnswer(new GatewayError(name, 'Why.'))
      assert.equal(answer.contentType, 'application/problem+json')
      assert.ok(answer.status >= 400, name)
      const { title, ...body } = bodyOf(answer)
      assert.deepEqual(body, { type: 'about:blank', status: answer.status, detail: 'Why.', code: name })
      assert.match(String(title), /^[A-Z][a-z ]+$/)
    }
  })

  test('401 with a bare challenge: it has no OAuth metadata', () => {
    const answer = apiErrorAnswer(new GatewayError('invalid_token', 'This is not the admin key.'))
    assert.deepEqual(answer.headers, { 'WWW-Authenticate': 'Bearer' })
  })
})

suite('an answer never shows', () => {
  test('the cause of an error', () => {
    const cause = fc.constantFrom<unknown>(
      'CANARY',
      { secret: 'CANARY' },
      new Error('CANARY', { cause: new Error('CANARY') }),
      new GatewayError('internal', 'CANARY'),
    )
    fc.assert(
      fc.property(code, cause, fc.constantFrom(MODERN, LEGACY, UNREAD), (name, hidden, context) => {
        const error = new GatewayError(name, 'A message of ours.', { cause: hidden })
        for (const answer of [mcpErrorAnswer(error, context), apiErrorAnswer(error)]) {
          assert.doesNotMatch(JSON.stringify(answer), /CANARY/)
        }
      }),
    )
  })

  test('anything of what was thrown and is no error of ours: that is a bare 500', () => {
    const thrown = fc.oneof(
      fc.anything().map((value) => ({ canary: 'CANARY', value })),
      fc.constantFrom<unknown>('CANARY', undefined, null, new Error('CANARY'), new TypeError('CANARY')),
    )
    fc.assert(
      fc.property(thrown, (value) => {
        const answer = mcpErrorAnswer(value, MODERN)
        assert.equal(answer.status, 500)
        assert.deepEqual(bodyOf(answer)['error'], { code: -32603, message: 'Internal error' })
        assert.doesNotMatch(JSON.stringify(apiErrorAnswer(value)), /CANARY/)
      }),
    )
  })
})
