import { elements, isObject, type JsonObject, member, textMember } from './json.ts'

/** Where the document was fetched, and what is called instead of the servers it names. */
export interface ServerOptions {
  readonly documentUrl?: string | undefined
  readonly baseUrl?: string | undefined
}

/**
 * The URL of an operation's server, without a trailing slash; undefined when nothing gives one that is http or https.
 *
 * The base URL wins; then the first server of the operation, its path, the document; variables take their defaults, and a
 * relative URL is resolved against where the document came from (OpenAPI 3.1 §4.8.5). A password in it is dropped. Whether
 * the address may be called at all is decided when it is called.
 */
export function serverOf(levels: readonly JsonObject[], options: ServerOptions): string | undefined {
  if (options.baseUrl !== undefined) return httpUrl(options.baseUrl, undefined)
  for (const level of levels) {
    const [server] = elements(member(level, 'servers'))
    const url = textMember(server, 'url')
    if (url !== undefined) return httpUrl(fillVariables(url, member(server, 'variables')), options.documentUrl)
  }
  return httpUrl('/', options.documentUrl)
}

function fillVariables(url: string, variables: unknown): string {
  return url.slice(0, 2000).replace(/\{([^{}]*)\}/g, (whole, name: string) => {
    const value = isObject(variables) ? member(member(variables, name), 'default') : undefined
    return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 1000) : whole
  })
}

function httpUrl(url: string, documentUrl: string | undefined): string | undefined {
  // A host without a scheme is called as the document was; without one, as a credential should travel.
  const base = documentUrl ?? (url.startsWith('//') ? 'https://scheme.invalid' : undefined)
  if (!URL.canParse(url, base)) return undefined
  const parsed = new URL(url, base)
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return undefined
  // A variable without a default: better no server than one with a brace in it.
  if (/[{}]|%7b|%7d/i.test(parsed.host + parsed.pathname)) return undefined
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '')
}
