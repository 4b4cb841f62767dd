/** The grants by the names of the settings, and what each is called on the wire. */
export const GRANT_TYPE_OF = {
  authorization_code: 'authorization_code',
  refresh_token: 'refresh_token',
  client_credentials: 'client_credentials',
  device_code: 'urn:ietf:params:oauth:grant-type:device_code',
  token_exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  jwt_bearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
} as const

export type GrantName = keyof typeof GRANT_TYPE_OF

/** Grants at which no person is asked: a client proves itself, and the settings say what it may. */
export const UNATTENDED: readonly GrantName[] = ['client_credentials', 'token_exchange', 'jwt_bearer']

/** Grants that only clients of the settings have, whatever others write into their registration or metadata document. */
export const FOR_KNOWN_CLIENTS: readonly GrantName[] = [...UNATTENDED, 'device_code']
