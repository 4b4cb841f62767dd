import { isObject, type JsonObject, member, textMember } from './json.ts'
import type { References } from './references.ts'
import type { KeyPlace, NamedScheme, OperationParameter, SecurityRequirement, SecurityScheme, Tool } from './tool.ts'

const alternativesMax = 50
const schemesMax = 20
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** They frame the message, choose the host, or speak for the network: no document has a credential sent in one of them. */
const framing =
  /^(?:host|content-.*|transfer-encoding|connection|keep-alive|proxy-connection|te|trailer|upgrade|expect|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id)$/i

/** What an operation says of credentials; undefined when nobody says anything. */
export type ReadSecurity =
  | { readonly ok: true; readonly security: SecurityRequirement | undefined }
  | { readonly ok: false; readonly reason: string }

export type SecurityReader = (operation: JsonObject) => ReadSecurity

/**
 * Reads `security` of operations (OpenAPI 3.1 §4.8.30, 3.2 §4.31, Swagger 2.0 §Security Requirement Object): the operation's
 * own, else that of the whole document. Data only: whether it can be met is for `credentials/` to say.
 *
 * A scheme that is not declared, or is of no known kind, stays in its alternative as `unreadable`: a requirement is never
 * made weaker by what cannot be read. An operation whose requirement as a whole cannot be read is not `ok`.
 */
export function createSecurityReader(root: JsonObject, references: References): SecurityReader {
  const schemes = new Map<string, NamedScheme>()
  const byNames = new Map<string, SecurityRequirement>()
  const bySource = new Map<unknown, ReadSecurity>()

  function named(name: string): NamedScheme {
    const known = schemes.get(name) ?? { name, scheme: readScheme(name, root, references) }
    schemes.set(name, known)
    return known
  }

  function read(source: unknown): ReadSecurity {
    const alternatives = alternativesOf(source)
    if (!alternatives) return { ok: false, reason: 'its `security` is not a list of security requirements' }
    if (alternatives.length > alternativesMax || alternatives.some((names) => names.length > schemesMax)) {
      return {
        ok: false,
        reason: `its \`security\` has more than ${alternativesMax} alternatives or ${schemesMax} schemes`,
      }
    }
    const key = JSON.stringify(alternatives)
    const security = byNames.get(key) ?? alternatives.map((names) => names.map(named))
    byNames.set(key, security)
    return { ok: true, security }
  }

  return (operation) => {
    // An empty value of YAML is null and says nothing.
    const source = member(operation, 'security') ?? member(root, 'security') ?? undefined
    if (source === undefined) return { ok: true, security: undefined }
    const known = bySource.get(source) ?? read(source)
    bySource.set(source, known)
    return known
  }
}

/** The different requirements of these tools' operations. */
export function requirementsOf(tools: readonly Tool[]): readonly SecurityRequirement[] {
  return [...new Set(tools.flatMap(({ operation: { security } }) => (security === undefined ? [] : [security])))]
}

/** Whether a scheme of the requirement has its key in a parameter of that name and place. */
export function isSecurityPlace(
  security: SecurityRequirement | undefined,
  place: OperationParameter['in'],
  name: string,
): boolean {
  if (security === undefined || place === 'path') return false
  const key = keyOfPlace({ in: place, name })
  return security.some((schemes) =>
    schemes.some(({ scheme }) => scheme.type === 'apiKey' && keyOfPlace(scheme.place) === key),
  )
}

/** One spelling of a place: names of headers are the same in any case (RFC 9110 §5.1), and servers exist that take query names so. */
export function keyOfPlace({ in: place, name }: KeyPlace): string {
  return `${place} ${place === 'cookie' ? name : name.toLowerCase()}`
}

/** The names in every alternative. Where the list or the braces were forgotten, the meaning is still plain. */
function alternativesOf(source: unknown): readonly (readonly string[])[] | undefined {
  const list: readonly unknown[] = Array.isArray(source) ? source : [source]
  const alternatives = list.map((entry) => {
    if (typeof entry === 'string') return [entry]
    return isObject(entry) ? Object.keys(entry) : undefined
  })
  const read = alternatives.filter((names) => names !== undefined)
  return read.length === alternatives.length ? read : undefined
}

function readScheme(name: string, root: JsonObject, references: References): SecurityScheme {
  const declared = member(member(member(root, 'components'), 'securitySchemes'), name)
  // 3.2 takes a reference for a name too; only one inside the document is followed.
  const raw = declared === undefined && name.startsWith('#/') ? { $ref: name } : declared
  if (raw === undefined) return { type: 'unreadable', reason: 'is not declared in the document' }
  const followed = references.follow(raw)
  if (!followed.ok) return { type: 'unreadable', reason: followed.reason }
  const scheme = followed.value
  switch (textMember(scheme, 'type')?.toLowerCase()) {
    case 'apikey':
      return keyScheme(scheme)
    case 'basic':
      return { type: 'http', scheme: 'basic' }
    case 'http':
      return httpScheme(textMember(scheme, 'scheme'))
    case 'oauth2':
      return { type: 'oauth2' }
    case 'openidconnect':
      return { type: 'openIdConnect' }
    case 'mutualtls':
      return { type: 'mutualTLS' }
    default:
      return { type: 'unreadable', reason: 'is of no known type' }
  }
}

function httpScheme(scheme: string | undefined): SecurityScheme {
  if (scheme === undefined || !token.test(scheme)) {
    return { type: 'unreadable', reason: 'does not say which HTTP scheme it is' }
  }
  return { type: 'http', scheme: scheme.toLowerCase() }
}

function keyScheme(scheme: unknown): SecurityScheme {
  const name = textMember(scheme, 'name') ?? ''
  const place = (['header', 'query', 'cookie'] as const).find((one) => one === textMember(scheme, 'in')?.toLowerCase())
  if (place === undefined) return { type: 'unreadable', reason: 'has its key in no known place' }
  const isSendable = place === 'query' ? name !== '' && name.isWellFormed() : token.test(name)
  if (!isSendable || name.length > 200 || (place === 'header' && framing.test(name))) {
    return { type: 'unreadable', reason: `has its key under a name that no ${place} may have` }
  }
  return { type: 'apiKey', place: { in: place, name } }
}
