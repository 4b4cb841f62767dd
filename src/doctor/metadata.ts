import * as z from 'zod'
import type { CauseCode } from './causes.ts'
import type { Challenge } from './challenge.ts'
import { type Answer, ask, type World } from './probe.ts'

/** What the endpoint says about itself as a protected resource (RFC 9728). */
export interface MetadataFacts {
  /** The URL that was called. */
  readonly url: URL
  /** Where the challenge sends clients; undefined when it does not. */
  readonly named: string | undefined
  /** Where it was looked for in the end. */
  readonly at: URL | undefined
  readonly answer: Answer | undefined
  readonly document: ResourceDocument | undefined
}

const resourceDocument = z.looseObject({
  resource: z.string(),
  authorization_servers: z.array(z.string()).default([]),
})

export type ResourceDocument = z.output<typeof resourceDocument>

const PATH = '/.well-known/oauth-protected-resource'

/** Fetches the metadata that the challenge names, else the one at the well-known address (RFC 9728 §3.1). */
export async function lookAtMetadata(world: World, url: URL, challenge: Challenge | undefined): Promise<MetadataFacts> {
  const named = challenge?.resourceMetadata
  const at = named === undefined ? wellKnown(url) : URL.parse(named)
  if (at === null || !/^https?:$/.test(at.protocol)) {
    return { url, named, at: undefined, answer: undefined, document: undefined }
  }
  const answer = await ask(world, at, { headers: { accept: 'application/json' } })
  const parsed = answer.ok && answer.status === 200 ? resourceDocument.safeParse(answer.json) : undefined
  return { url, named, at, answer, document: parsed?.data }
}

function wellKnown(url: URL): URL {
  return new URL(PATH + (url.pathname === '/' ? '' : url.pathname) + url.search, url)
}

/** What an authorization server says about itself, and its keys. */
export interface IssuerFacts {
  /** As the resource's metadata writes it. */
  readonly issuer: string
  /** Why nothing could be learned. */
  readonly problem: { readonly cause: CauseCode; readonly detail: string } | undefined
  readonly document: IssuerDocument | undefined
}

const issuerDocument = z.looseObject({
  issuer: z.string(),
  jwks_uri: z.string().optional(),
  authorization_endpoint: z.string().optional(),
  code_challenge_methods_supported: z.array(z.string()).optional(),
})

export type IssuerDocument = z.output<typeof issuerDocument>

/** Fetches an issuer's metadata: RFC 8414 §3.1 first, then OpenID discovery, with the path in the middle and at the end. */
export async function lookAtIssuer(world: World, issuer: string): Promise<IssuerFacts> {
  const url = URL.parse(issuer)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return { issuer, problem: { cause: 'issuer_metadata_missing', detail: 'It is not a URL.' }, document: undefined }
  }
  let detail = ''
  for (const address of issuerAddresses(url)) {
    const answer = await ask(world, address, { headers: { accept: 'application/json' } })
    if (!answer.ok) {
      return { issuer, problem: { cause: 'issuer_unreachable', detail: answer.detail }, document: undefined }
    }
    detail = `The last answer was ${answer.status}.`
    if (answer.status >= 500) {
      return { issuer, problem: { cause: 'issuer_unreachable', detail }, document: undefined }
    }
    const parsed = answer.status === 200 ? issuerDocument.safeParse(answer.json) : undefined
    if (parsed?.success === true) return { issuer, problem: undefined, document: parsed.data }
  }
  return { issuer, problem: { cause: 'issuer_metadata_missing', detail }, document: undefined }
}

function issuerAddresses({ origin, pathname }: URL): readonly URL[] {
  const path = pathname.replace(/\/$/, '')
  const paths = ['oauth-authorization-server', 'openid-configuration'].map((name) => `/.well-known/${name}${path}`)
  return [...new Set([...paths, `${path}/.well-known/openid-configuration`])].map((each) => new URL(each, origin))
}
