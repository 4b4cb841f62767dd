import type { ProviderContext } from 'oidc-provider'
import { hasValidSignature } from '../../identify/jwt-verifier.ts'
import type { KeySet } from '../../identify/key-set.ts'
import { readToken, type UnverifiedToken } from '../../identify/unverified-token.ts'
import { federatedId, type Principal, type Principals } from '../principals.ts'
import { findResource, type OAuthResource } from '../resources.ts'
import type { OAuthClientSettings } from './client-settings.ts'
import type { EnterpriseProviderSettings } from './enterprise-settings.ts'
import { type GrantOptions, textParameter } from './grant-options.ts'
import { GRANT_TYPE_OF } from './grant-types.ts'
import {
  type CheckedIdJag,
  checkIdJagClaims,
  checkIdJagHeader,
  type IdJag,
  type IdJagProblem,
  idJagRefusal,
} from './id-jag.ts'
import { issueToken } from './issue-token.ts'
import { mayEnter } from './known-clients.ts'
import { type Refused, refused, toLibraryError } from './refusal.ts'
import { grantScopes } from './scopes.ts'

/** An enterprise's identity provider, and its keys. */
export interface EnterpriseProvider {
  readonly settings: EnterpriseProviderSettings
  readonly keys: Pick<KeySet, 'find'>
}

export interface JwtBearerOptions extends GrantOptions {
  readonly principals: Principals
  readonly enterprises: readonly EnterpriseProvider[]
}

/** Under which principals of this way are kept: no sign-in provider is called so. */
const PROVIDER_ID = 'enterprise-managed'

/**
 * RFC 7523 with an assertion of an enterprise's identity provider (SEP-990, enterprise-managed authorization): the enterprise has
 * decided that this person uses this workspace with this client, so nobody is asked. The person must still be one whom the
 * workspace lets in.
 */
export function jwtBearer(options: JwtBearerOptions) {
  const { library, clients, principals, accessTokenTtlSeconds } = options
  return async (context: ProviderContext): Promise<void> => {
    const fail = (refusal: Refused) => toLibraryError(library, refusal)
    const client = clients.withGrant(context.oidc.client?.clientId ?? '', 'jwt_bearer')
    if (client === undefined) throw fail(refused('unauthorized_client', 'this client may not bring assertions'))
    const text = textParameter(context, 'assertion')
    if (text === undefined) throw fail(refused('invalid_request', 'assertion is missing'))
    const checked = await checkAssertion(text, client, options)
    if (!checked.ok) throw fail(idJagRefusal(checked.problem))
    const { assertion } = checked
    const resource = resourceFor(assertion, client, textParameter(context, 'resource'), options)
    if (resource === undefined) throw fail(idJagRefusal('resource'))
    // Kept with the items and put as new: another process, or the same one a moment later, refuses it (THREATS.md, T27).
    const { ReplayDetection } = context.oidc.provider
    const isFirst = await ReplayDetection.unique(`id-jag ${assertion.issuer} `, assertion.jti, assertion.expSeconds)
    if (!isFirst) throw fail(idJagRefusal('repeated'))
    const principal = await principalOf(assertion, principals)
    if (!principals.mayUse(principal, resource)) {
      throw fail(refused('invalid_grant', 'this person may not use the workspace'))
    }
    const forAdmins = principals.isAdmin(principal, resource) ? resource.forAdmins : []
    const bounds = [client.scopes, assertion.scopes ?? client.scopes, [...resource.ordinary, ...forAdmins]]
    const granted = grantScopes(textParameter(context, 'scope'), resource, bounds)
    if (!granted.ok) throw fail(granted)
    await issueToken(
      context,
      {
        ...{ subject: principal.id, resource, scopes: granted.scopes },
        lifeSeconds: accessTokenTtlSeconds,
        grantType: GRANT_TYPE_OF.jwt_bearer,
      },
      options,
    )
  }
}

/** Everything that the assertion itself can tell. The issuer is believed once one of its keys has verified it. */
async function checkAssertion(
  text: string,
  { id: clientId }: OAuthClientSettings,
  { enterprises, publicUrl: audience, now }: JwtBearerOptions,
): Promise<CheckedIdJag> {
  const no = (problem: IdJagProblem): CheckedIdJag => ({ ok: false, problem })
  const token = readToken(text)
  if (!token.ok) return no('signature')
  const header = checkIdJagHeader(token)
  if (!header.ok) return header
  const provider = enterprises.find(({ settings }) => settings.issuer === token.claims['iss'])
  if (provider === undefined) return no('issuer')
  if (!(await isSigned(token, header, provider))) return no('signature')
  return checkIdJagClaims(token.claims, { provider: provider.settings, audience, clientId, now: now() })
}

async function isSigned(
  { token }: UnverifiedToken,
  { alg, kid }: { readonly alg: string; readonly kid: string },
  { keys }: EnterpriseProvider,
): Promise<boolean> {
  const found = await keys.find({ alg, kid, allowMissingKeyId: false })
  return found.ok && (await hasValidSignature(token, found.key, alg))
}

/** The workspace is the assertion's; a `resource` of the request may only repeat it. */
function resourceFor(
  assertion: IdJag,
  client: OAuthClientSettings,
  asked: string | undefined,
  terms: GrantOptions,
): OAuthResource | undefined {
  const resource = findResource(assertion.resource, terms)
  if (resource === undefined || !mayEnter(client, resource)) return undefined
  return asked === undefined || findResource(asked, terms)?.url === resource.url ? resource : undefined
}

/** Whoever signs in at the same issuer is the same; what that sign-in has allowed stays as it is. */
async function principalOf(assertion: IdJag, principals: Principals): Promise<Principal> {
  const { issuer, subject, email, name } = assertion
  const known = await principals.find(federatedId(issuer, subject))
  if (known !== undefined && known.email === email) return known
  return principals.ofIdentity(PROVIDER_ID, { issuer, subject, email, name, isAllowed: false })
}
