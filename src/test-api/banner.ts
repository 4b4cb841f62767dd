import type { TestApi } from './test-api.ts'

/** What a person needs to know of a running test API, in lines for a terminal. Shows the sample credentials of its mode. */
export function banner(testApi: TestApi): string {
  const { mode, origin } = testApi
  return [
    `Test API (mode: ${mode}) is listening on ${origin}`,
    `  OpenAPI document   ${origin}/openapi.json   (and /openapi.yaml)`,
    `  Operations         listItems, createItem, deleteItem, listUsers, getStats`,
    ...credentialLines(testApi).map((line) => `  ${line}`),
    `  For tests only, from this machine: GET ${origin}/test/counts, POST ${origin}/test/revoke`,
    '  Everything is in memory and the credentials are public samples: do not use it for anything real.',
    '',
  ].join('\n')
}

function credentialLines({ mode, origin, credentials, ttlSeconds, refreshTtlSeconds }: TestApi): readonly string[] {
  switch (mode) {
    case 'none':
      return ['No credential is asked for.']
    case 'apikey':
      return [`API key            X-Api-Key: ${credentials.apiKey}`]
    case 'bearer':
      return [`Bearer token       Authorization: Bearer ${credentials.bearerToken}`]
    case 'jwt':
      return [
        `Sign in            POST ${origin}/auth/login   {"username": "…", "password": "…"}`,
        ...credentials.users.map(
          ({ username, password }) => `  sample user      username: ${username}  password: ${password}`,
        ),
        `Refresh            POST ${origin}/auth/refresh   {"refreshToken": "…"}`,
        `Lifetimes          access token ${duration(ttlSeconds)}, refresh token ${duration(refreshTtlSeconds)}`,
      ]
  }
}

function duration(seconds: number): string {
  const units = [
    { name: 'd', seconds: 86_400 },
    { name: 'h', seconds: 3600 },
    { name: 'min', seconds: 60 },
  ]
  const unit = units.find((candidate) => seconds >= candidate.seconds && seconds % candidate.seconds === 0)
  return unit ? `${seconds / unit.seconds} ${unit.name}` : `${seconds} s`
}
