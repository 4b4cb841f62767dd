import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { test } from 'node:test'

const COSTLY = /\/(?:oidc-provider|openid-client)\/|\/src\/oauth\/(?:provider|sign-in|authorization-server)\.ts$/

test('a gateway without OAuth loads nothing of it; the first that asks for it does', async () => {
  const loaded: string[] = []
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context)
      if (COSTLY.test(found.url)) loaded.push(found.url)
      return found
    },
  })
  try {
    const { startGateway } = await import('../../src/testing/start-gateway.ts')
    await using gateway = await startGateway()
    await gateway.makeWorkspace({ name: 'Open', auth: { authType: 'none' } })
    const metadata = `${gateway.url}/.well-known/oauth-authorization-server`
    assert.equal((await fetch(metadata)).status, 404)
    assert.deepEqual(loaded, [])
    await gateway.makeWorkspace({ name: 'Signed in', auth: { authType: 'oauth' } })
    assert.deepEqual(loaded, [])
    assert.equal((await fetch(metadata)).status, 200)
    assert.ok(loaded.length > 0)
  } finally {
    hooks.deregister()
  }
})
