import { createServer, type ServerResponse } from 'node:http'
import type { BenchSetup } from './contender.ts'
import { listen } from './listen.ts'

/** Gatehouse's workspace without its document: the JWT by JWKS with audience and scope, the upstream's token from a login. */
export function workspaceOf(setup: BenchSetup, provider: string) {
  return {
    name: 'bench',
    auth: {
      authType: 'jwt',
      jwt: {
        jwksUrl: `${provider}/jwks`,
        issuer: setup.issuer,
        audience: setup.audience,
        requiredScopes: ['items:read'],
      },
    },
    upstream: { auth: { type: 'bearer' } },
    params: { login_url: `${provider}/login`, username: 'bench', password: 'bench-password' },
  }
}

/** Serves the key set and the login, and gives the origin. Asked once each: the key set at the start, the login at the first call. */
export function startProvider(setup: BenchSetup): Promise<string> {
  return listen(createServer((request, response) => json(response, provide(request.url, setup))))
}

function provide(path: string | undefined, { publicKey }: BenchSetup): unknown {
  if (path === '/jwks') return { keys: [{ ...publicKey, kid: 'bench', alg: 'ES256', use: 'sig' }] }
  return { accessToken: 'bench-upstream-token', refreshToken: 'bench-refresh-token', expiresIn: 3600 }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
