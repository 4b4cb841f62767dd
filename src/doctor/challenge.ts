/** The parameters of a Bearer challenge (RFC 6750 §3, RFC 9728 §5.1). */
export interface Challenge {
  readonly error: string | undefined
  readonly description: string | undefined
  readonly scope: string | undefined
  readonly resourceMetadata: string | undefined
}

const VALUE_LENGTH_MAX = 2_000

/** Reads a `WWW-Authenticate` value; undefined when no Bearer challenge is in it. */
export function readChallenge(header: string | undefined): Challenge | undefined {
  const start = header === undefined ? -1 : header.search(/(?:^|,\s*)bearer(?:\s|$)/i)
  if (header === undefined || start === -1) return undefined
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, plain] of header.slice(start).matchAll(/([a-z_]+)=(?:"([^"]*)"|([^\s,"]+))/gi)) {
    if (!parameters.has(name.toLowerCase()))
      parameters.set(name.toLowerCase(), (quoted ?? plain ?? '').slice(0, VALUE_LENGTH_MAX))
  }
  return {
    error: parameters.get('error'),
    description: parameters.get('error_description'),
    scope: parameters.get('scope'),
    resourceMetadata: parameters.get('resource_metadata'),
  }
}
