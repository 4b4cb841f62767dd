import type { ProviderContext } from 'oidc-provider'
import { sha256 } from '../../crypto/hash.ts'
import type { Principals } from '../principals.ts'
import { findResource, type OAuthResource } from '../resources.ts'
import { checkAsking, type GrantOptions, textParameter } from './grant-options.ts'
import { GRANT_TYPE_OF } from './grant-types.ts'
import { issueToken } from './issue-token.ts'
import { type Refused, refused, toLibraryError } from './refusal.ts'
import { grantScopes } from './scopes.ts'
import { FOREIGN } from './standing.ts'
import type { SubjectToken, VerifySubject } from './subject-token.ts'

export interface TokenExchangeOptions extends GrantOptions {
  readonly principals: Principals
  readonly verifySubject: VerifySubject
}

export const EXCHANGE_PARAMETERS = [
  ...['subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'actor_token_type'],
  ...['audience', 'resource', 'scope'],
]

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const SUBJECT_TYPES: readonly (string | undefined)[] = [ACCESS_TOKEN, 'urn:ietf:params:oauth:token-type:jwt']
/** Programs that act for one another; a longer chain is nobody's wish. */
const ACTORS_MAX = 4

/** RFC 8693: a client that calls on shows a person's token and gets one of another workspace of the same account. */
export function tokenExchange(options: TokenExchangeOptions) {
  const { library, principals, verifySubject, accessTokenTtlSeconds, now } = options
  return async (context: ProviderContext): Promise<void> => {
    const fail = (refusal: Refused) => toLibraryError(library, refusal)
    const asking = checkAsking(context, 'token_exchange', options)
    if (!asking.ok) throw fail(asking)
    const { client, resource } = asking
    const asked = checkParameters((name) => textParameter(context, name), resource, options)
    if (!asked.ok) throw fail(asked)
    const subject = await verifySubject(asked.subjectToken, resource, client.id)
    const checked = checkSubject(subject, resource)
    if (!checked.ok) throw fail(checked)
    const person = await personOf(checked.subject, resource, principals)
    if (!person.ok) throw fail(person)
    const actor = actorOf(client.id, checked.subject)
    if (!actor.ok) throw fail(actor)
    const bounds = [client.scopes, [...checked.subject.scopes], person.scopes]
    const granted = grantScopes(textParameter(context, 'scope'), resource, bounds, { mayBeNone: true })
    if (!granted.ok) throw fail(granted)
    const { grantId, expiresAtSeconds = Number.POSITIVE_INFINITY } = checked.subject
    // Never longer than what it was made of; the library would take 0 for its default.
    const lifeSeconds = Math.min(accessTokenTtlSeconds, Math.floor(expiresAtSeconds - now() / 1000))
    if (lifeSeconds < 1) throw fail(refused('invalid_request', 'the subject token is over'))
    await issueToken(
      context,
      {
        ...{ subject: person.subject, grantId, resource, scopes: granted.scopes },
        lifeSeconds,
        grantType: GRANT_TYPE_OF.token_exchange,
        claims: { act: actor.act },
        answer: { issued_token_type: ACCESS_TOKEN },
      },
      options,
    )
  }
}

/** RFC 8693 §2.1. Pure. */
function checkParameters(
  parameter: (name: string) => string | undefined,
  resource: OAuthResource,
  options: GrantOptions,
): { readonly ok: true; readonly subjectToken: string } | Refused {
  const subjectToken = parameter('subject_token')
  if (subjectToken === undefined) return refused('invalid_request', 'subject_token is missing')
  if (!SUBJECT_TYPES.includes(parameter('subject_token_type'))) {
    return refused('invalid_request', `subject_token_type is ${SUBJECT_TYPES.join(' or ')}`)
  }
  const requested = parameter('requested_token_type')
  if (requested !== undefined && requested !== ACCESS_TOKEN) {
    return refused('invalid_request', `requested_token_type is ${ACCESS_TOKEN}`)
  }
  // The client that asks is who acts: it has just proved itself, which a token of another does not.
  if (parameter('actor_token') !== undefined || parameter('actor_token_type') !== undefined) {
    return refused('invalid_request', 'actor_token is not taken: the client itself is the actor')
  }
  const audience = parameter('audience')
  if (audience !== undefined && findResource(audience, options)?.url !== resource.url) {
    return refused('invalid_target', 'audience and resource name different workspaces')
  }
  return { ok: true, subjectToken }
}

/** RFC 8693 §2.2.2: a token that cannot be taken, for whatever reason, is `invalid_request`. Pure. */
function checkSubject(
  subject: SubjectToken | undefined,
  resource: OAuthResource,
): { readonly ok: true; readonly subject: SubjectToken } | Refused {
  if (subject === undefined) return refused('invalid_request', 'the subject token is not valid here')
  if (subject.isBound) return refused('invalid_request', 'the subject token is bound to a key of somebody else')
  if (subject.isService) return refused('invalid_request', 'the subject token speaks for no person')
  if (!subject.isOurs) return { ok: true, subject }
  // Its issuer was taken by another workspace; whether this one would is not known any more.
  if (subject.subject.startsWith(FOREIGN)) return refused('invalid_request', 'the subject token was exchanged before')
  if (subject.accountId !== resource.accountId) {
    return refused('invalid_target', 'the workspaces are of different accounts')
  }
  return { ok: true, subject }
}

type Person = { readonly ok: true; readonly subject: string; readonly scopes: readonly string[] } | Refused

/** Who the new token speaks for, and the most that this one may have in the workspace. */
async function personOf(token: SubjectToken, resource: OAuthResource, principals: Principals): Promise<Person> {
  if (!token.isOurs) {
    // A name of its own: another issuer's subject must never be the id of one of our people.
    const subject = FOREIGN + sha256(JSON.stringify([token.issuer, token.subject])).slice(0, 32)
    return { ok: true, subject, scopes: resource.ordinary }
  }
  const principal = await principals.find(token.subject)
  if (principal === undefined || !principals.mayUse(principal, resource)) {
    return refused('invalid_target', 'this person may not use the workspace')
  }
  const forAdmins = principals.isAdmin(principal, resource) ? resource.forAdmins : []
  return { ok: true, subject: principal.id, scopes: [...resource.ordinary, ...forAdmins] }
}

interface Actor {
  readonly sub: string
  readonly act?: Actor
}

/** RFC 8693 §4.1: the client, and behind it whoever acted before. */
function actorOf(
  clientId: string,
  { isOurs, actor }: SubjectToken,
): { readonly ok: true; readonly act: Actor } | Refused {
  const before = isOurs ? readActor(actor, 1) : undefined
  if (before === 'too many') return refused('invalid_request', `more than ${ACTORS_MAX} clients act for one another`)
  return { ok: true, act: before === undefined ? { sub: clientId } : { sub: clientId, act: before } }
}

function readActor(actor: unknown, depth: number): Actor | 'too many' | undefined {
  if (typeof actor !== 'object' || actor === null || !('sub' in actor) || typeof actor.sub !== 'string')
    return undefined
  if (depth >= ACTORS_MAX) return 'too many'
  const before = readActor('act' in actor ? actor.act : undefined, depth + 1)
  if (before === 'too many') return before
  return before === undefined ? { sub: actor.sub } : { sub: actor.sub, act: before }
}
