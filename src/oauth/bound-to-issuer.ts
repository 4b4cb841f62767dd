import type { ModelAdapter } from './adapter.ts'
import type { StoredPayload } from './sealed-items.ts'

/**
 * What every issuer of ours shares: a registration is worth the same everywhere, a grant names the workspace’s URL, and a mark
 * against a second use is the stricter the more see it.
 */
const SHARED = new Set(['Client', 'Grant', 'ReplayDetection'])

const ISSUER = 'gatehouse_issuer'

/**
 * The adapters as one issuer has them: codes, refresh tokens, device codes, sessions and sign-ins under way that were begun at
 * another one are not there (RFC 9700 §4.4, THREATS.md, T10). What carries no issuer is nobody’s.
 */
export function boundToIssuer(
  adapter: (model: string) => ModelAdapter,
  issuer: string,
): (model: string) => ModelAdapter {
  return (model) => (SHARED.has(model) ? adapter(model) : bound(adapter(model), issuer))
}

function bound(adapter: ModelAdapter, issuer: string): ModelAdapter {
  const own = (found: StoredPayload | undefined): StoredPayload | undefined => {
    if (found?.[ISSUER] !== issuer) return undefined
    const { [ISSUER]: _, ...payload } = found
    return payload
  }
  return {
    ...adapter,
    upsert: (id, payload, expiresIn) => adapter.upsert(id, { ...payload, [ISSUER]: issuer }, expiresIn),
    find: async (id) => own(await adapter.find(id)),
    findByUid: async (uid) => own(await adapter.findByUid(uid)),
    findByUserCode: async (userCode) => own(await adapter.findByUserCode(userCode)),
  }
}
