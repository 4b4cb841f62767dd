import { quoted } from '../identify/jwt-failure.ts'
import type { IssuerFacts, MetadataFacts } from './metadata.ts'
import { type Check, failed, passed } from './report.ts'
import { differInSlashes, isOpenToReaders, shown } from './urls.ts'

/** Whether a client finds out from the challenge where to sign in, and whether that is about this URL. Pure. */
export function checkMetadata(facts: MetadataFacts): readonly Check[] {
  const { url, named, at, answer, document } = facts
  if (at === undefined || answer === undefined) {
    return [failed('metadata', 'metadata_unreachable', `It names ${quoted(named)}, which is not an http address.`)]
  }
  const place = named === undefined ? undefined : checkPlace(url, at)
  if (place !== undefined) return [place]
  if (document === undefined) return [checkAbsence(facts, at, answer)]
  const found = passed('metadata', `${shown(at)} says where to sign in.`)
  return [found, checkResource(url, document.resource), ...checkServers(document.authorization_servers)]
}

function checkPlace(url: URL, at: URL): Check | undefined {
  if (at.host !== url.host) {
    const isScheme = at.hostname === url.hostname && url.protocol === 'https:' && at.protocol === 'http:'
    return failed(
      'metadata',
      isScheme ? 'metadata_over_http' : 'metadata_elsewhere',
      `It is said to be at ${shown(at)}.`,
    )
  }
  if (url.protocol === 'https:' && at.protocol === 'http:') {
    return failed('metadata', 'metadata_over_http', `It is said to be at ${shown(at)}.`)
  }
  return undefined
}

function checkAbsence({ named }: MetadataFacts, at: URL, answer: NonNullable<MetadataFacts['answer']>): Check {
  const where = `It was looked for at ${shown(at)}.`
  if (!answer.ok) return failed('metadata', 'metadata_unreachable', `${where} ${answer.detail}`)
  if (answer.status === 200) return failed('metadata', 'metadata_invalid', where)
  const seen = `${where} The answer was ${answer.status}.`
  return failed('metadata', named === undefined ? 'metadata_missing' : 'metadata_unreachable', seen)
}

/** RFC 9728 §3.3: the resource is the URL that the client called, letter by letter. */
function checkResource(url: URL, resource: string): Check {
  // What the browser's URL parser adds to an address without a path is no difference.
  if (resource === url.href || `${resource}/` === `${url.origin}/`) {
    return passed('resource', 'The metadata is about this URL.')
  }
  if (resource === shown(url)) return passed('resource', 'The metadata is about this URL.')
  const seen = `It says resource ${quoted(resource)}; ${quoted(shown(url))} was called.`
  return failed('resource', differInSlashes(resource, shown(url)) ? 'resource_slash' : 'resource_mismatch', seen)
}

function checkServers(servers: readonly string[]): readonly Check[] {
  if (servers.length === 0) {
    return [passed('issuer', 'The metadata names no authorization server: clients are given a token, they get none.')]
  }
  const open = servers.map((server) => URL.parse(server)).find((server) => server !== null && isOpenToReaders(server))
  return open == null ? [] : [failed('issuer', 'issuer_over_http', `It is ${shown(open)}.`)]
}

/** Whether an authorization server is there and is who the metadata says. Pure. */
export function checkIssuer({ issuer, problem, document }: IssuerFacts): Check {
  if (problem !== undefined) return failed('issuer', problem.cause, `${quoted(issuer)}: ${problem.detail}`)
  if (document === undefined) return failed('issuer', 'issuer_metadata_missing', quoted(issuer))
  if (document.issuer !== issuer) {
    const seen = `The metadata names ${quoted(issuer)}; the server calls itself ${quoted(document.issuer)}.`
    return failed('issuer', differInSlashes(document.issuer, issuer) ? 'issuer_slash' : 'issuer_mismatch', seen)
  }
  const { authorization_endpoint, code_challenge_methods_supported: methods = [] } = document
  if (authorization_endpoint !== undefined && !methods.includes('S256')) return failed('issuer', 'pkce_missing')
  return passed('issuer', `The authorization server ${quoted(issuer)} is there.`)
}
