import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { resourceMetadata, resourceMetadataUrl } from './resource-metadata.ts'

suite('protected-resource metadata (RFC 9728)', () => {
  test('names the resource exactly as it was given, its issuers, and the header as the only way for a token', () => {
    assert.deepEqual(
      resourceMetadata({
        resource: 'https://mcp.example/shop-a1',
        name: 'The shop',
        authorizationServers: ['https://id.example/realms/a'],
      }),
      {
        resource: 'https://mcp.example/shop-a1',
        authorization_servers: ['https://id.example/realms/a'],
        bearer_methods_supported: ['header'],
        resource_name: 'The shop',
      },
    )
  })

  test('has no list of issuers where there is none (§2: empty lists are left out)', () => {
    const metadata = resourceMetadata({ resource: 'https://a/b', name: 'b', authorizationServers: [] })
    assert.equal('authorization_servers' in metadata, false)
  })

  test('stands between the host and the path of the resource (§3.1)', () => {
    const url = resourceMetadataUrl('https://mcp.example', '/shop-a1/mcp')
    assert.equal(url, 'https://mcp.example/.well-known/oauth-protected-resource/shop-a1/mcp')
  })

  test('of a gateway behind a proxy’s path is where that proxy leads to us (§5.1: the challenge may name any URL)', () => {
    const url = resourceMetadataUrl('https://example.com/gateway', '/shop-a1')
    assert.equal(url, 'https://example.com/gateway/.well-known/oauth-protected-resource/shop-a1')
  })
})
