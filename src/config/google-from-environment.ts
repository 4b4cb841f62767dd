import { GatewayError } from '../errors.ts'

/**
 * Adds the client of `GOOGLE_CLIENT_ID` and `GOOGLE_CLIENT_SECRET` (seed 003) to `oauth.providers` as the file has them: they
 * fill a `type: google` that has no `clientId` of its own. Takes and gives what is not checked yet.
 *
 * @throws GatewayError `config_invalid` when one of the two is missing, or nobody has said who may come in.
 */
export function withGoogleFromEnvironment(oauth: unknown, env: Readonly<Record<string, string | undefined>>): unknown {
  const clientId = env['GOOGLE_CLIENT_ID'] || undefined
  const clientSecret = env['GOOGLE_CLIENT_SECRET'] || undefined
  if (clientId === undefined && clientSecret === undefined) return oauth
  const section = oauth === undefined ? {} : oauth
  // Whatever is no object is told so by the schema.
  if (!isObject(section)) return oauth
  const providers = Array.isArray(section['providers']) ? section['providers'] : []
  const google: unknown = providers.find((one: unknown) => isObject(one) && one['type'] === 'google')
  // The file may take its secret out of this very variable, as the guide does.
  if (isObject(google) && google['clientId'] !== undefined) return oauth
  if (clientId === undefined || clientSecret === undefined) {
    throw invalid('GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET belong together: set both or neither.')
  }
  if (!isObject(google)) {
    throw invalid(
      'GOOGLE_CLIENT_ID is set, and nobody has said who may sign in with Google. Write it in the config file:\n' +
        '    oauth: { providers: [ { type: google, allow: { domains: [example.com] } } ] }',
    )
  }
  const filled = { ...google, clientId, clientSecret }
  return { ...section, providers: providers.map((one: unknown) => (one === google ? filled : one)) }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(problem: string): GatewayError {
  return new GatewayError('config_invalid', `The configuration is not usable:\n  ${problem}`)
}
