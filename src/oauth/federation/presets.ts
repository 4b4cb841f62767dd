import type { ServerMetadata } from 'openid-client'
import { domainOf } from '../../identify/allowed.ts'
import type { OidcPlan } from './oidc.ts'
import { type GoogleSettings, type MicrosoftSettings, type OidcSettings, providerIdOf } from './settings.ts'

type Claims = Readonly<Record<string, unknown>>

const SCOPES = ['openid', 'email', 'profile']
/** `=== true`, not truthy: the text "false" is true to a careless reader (THREATS.md, T11). */
const saysVerified = (claims: Claims) => claims['email_verified'] === true

/** Any OpenID provider. */
export function oidcPlan(settings: OidcSettings): OidcPlan {
  return {
    ...settings,
    id: providerIdOf(settings),
    name: settings.name ?? new URL(settings.issuer).host,
    discoveryUrl: settings.issuer,
    // That its issuer is this one, discovery itself has checked.
    problemOfMetadata: () => undefined,
    problemOfClaims: () => undefined,
    isEmailVerified: saysVerified,
    ownersOf: () => undefined,
  }
}

/** Google speaks for these itself; whoever has another address may have made the account before leaving the company. */
const GOOGLES_OWN = ['gmail.com', 'googlemail.com']

export function googlePlan(settings: GoogleSettings): OidcPlan {
  return {
    ...settings,
    id: providerIdOf(settings),
    name: settings.name ?? 'Google',
    scopes: SCOPES,
    discoveryUrl: settings.issuer,
    problemOfMetadata: () => undefined,
    problemOfClaims: () => undefined,
    isEmailVerified: saysVerified,
    // An account at Google with a company’s e-mail belongs to the company only when `hd` says so.
    ownersOf: ({ hd }, email) => {
      if (typeof hd === 'string') return [hd.toLowerCase()]
      return GOOGLES_OWN.filter((own) => own === domainOf(email))
    },
  }
}

const ENTRA = 'https://login.microsoftonline.com'
const TENANT_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/
/** The directory of Microsoft’s personal accounts. */
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'
const ANY_TENANT = '{tenantid}'
/** How Entra writes that the owner of the e-mail’s domain stands behind it. */
const EDOV_TRUE: readonly unknown[] = [true, 1, '1', 'true']

/**
 * Microsoft Entra. Its issuer carries the directory (`tid`): metadata for several directories hold `{tenantid}` there, and
 * which one it was, only the id_token says. So both are checked here: that the issuer is the one of that directory, and that
 * the directory is one of those that were meant.
 */
export function microsoftPlan(settings: MicrosoftSettings): OidcPlan {
  const { tenant, baseUrl } = settings
  const issuerOf = (id: string) => `${baseUrl}/${id}/v2.0`
  return {
    ...settings,
    id: providerIdOf(settings),
    name: settings.name ?? 'Microsoft',
    scopes: SCOPES,
    // `openid-client` fills in `{tenantid}` for this address alone; what is read there comes from `baseUrl`.
    discoveryUrl: `${ENTRA}/${tenant}/v2.0`,
    movedTo: (url) => (url.startsWith(`${ENTRA}/`) ? baseUrl + url.slice(ENTRA.length) : url),
    problemOfMetadata: ({ issuer }) => {
      const id = directoryOf(issuer, baseUrl)
      const isMeant = isMultiTenant(tenant)
        ? id === ANY_TENANT || (tenant === 'consumers' && id === CONSUMERS)
        : TENANT_ID.test(id) && (!TENANT_ID.test(tenant) || id === tenant)
      return isMeant ? undefined : 'the issuer in its metadata is not the one of this directory'
    },
    problemOfClaims: ({ iss, tid }, { issuer }) => {
      if (typeof tid !== 'string' || !TENANT_ID.test(tid)) return 'the id_token names no directory (tid)'
      if (iss !== issuerOf(tid)) return 'the issuer (iss) of the id_token is not the one of its directory (tid)'
      return isMeantDirectory(tid, tenant, directoryOf(issuer, baseUrl))
        ? undefined
        : 'the id_token is of a directory that is not meant here (tid)'
    },
    // `email` alone is what an administrator of any directory has typed in. Entra has no email_verified.
    isEmailVerified: ({ xms_edov }) => EDOV_TRUE.includes(xms_edov),
    ownersOf: () => undefined,
  }
}

function isMultiTenant(tenant: string): boolean {
  return tenant === 'common' || tenant === 'organizations' || tenant === 'consumers'
}

function isMeantDirectory(tid: string, tenant: string, ofMetadata: string): boolean {
  switch (tenant) {
    case 'common':
      return true
    case 'organizations':
      return tid !== CONSUMERS
    case 'consumers':
      return tid === CONSUMERS
    default:
      return tid === ofMetadata
  }
}

/** The directory in an issuer; empty where it is none of that base. */
function directoryOf(issuer: ServerMetadata['issuer'], baseUrl: string): string {
  const isOfBase = issuer.startsWith(`${baseUrl}/`) && issuer.endsWith('/v2.0')
  return isOfBase ? issuer.slice(baseUrl.length + 1, -'/v2.0'.length) : ''
}
