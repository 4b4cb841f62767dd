import type { SealedItems, StoredPayload } from './sealed-items.ts'
import type { UnitsOfWork } from './unit-of-work.ts'

/** Where `oidc-provider` keeps one kind of thing: the interface that it asks for. Times to live are in seconds. */
export interface ModelAdapter {
  upsert(id: string, payload: StoredPayload, expiresIn: number | undefined): Promise<void>
  find(id: string): Promise<StoredPayload | undefined>
  findByUid(uid: string): Promise<StoredPayload | undefined>
  findByUserCode(userCode: string): Promise<StoredPayload | undefined>
  consume(id: string): Promise<void>
  destroy(id: string): Promise<void>
  revokeByGrantId(grantId: string): Promise<void>
}

export interface AdapterOptions {
  readonly units: UnitsOfWork
  readonly sealed: SealedItems
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Marks against a second use of an assertion or a proof: of two at once one has to fail (RFC 7523 §3, RFC 9449 §11.1). */
const MARKS = new Set(['ReplayDetection'])

/**
 * The `adapter` of the library's configuration. In a request its changes are kept all together, before the answer leaves
 * (`unit-of-work.ts`); outside of one each is kept at once.
 */
export function createAdapter({ units, sealed, now }: AdapterOptions): (model: string) => ModelAdapter {
  return (model) => ({
    upsert: (id, payload, expiresIn) =>
      units.call(async (unit) => {
        const endsAt = expiresIn === undefined ? undefined : now() + expiresIn * 1000
        unit.put(sealed.item(model, id, payload, endsAt), { isNew: MARKS.has(model) })
      }),
    find: (id) =>
      units.call(async (unit) => {
        const item = await unit.find(sealed.name(model, id))
        return item && sealed.payload(item)
      }),
    findByUid: (uid) =>
      units.call(async (unit) => {
        const item = await unit.findBy('uid', model, sealed.uid(model, uid))
        return item && sealed.payload(item)
      }),
    findByUserCode: (userCode) =>
      units.call(async (unit) => {
        const item = await unit.findBy('userCode', model, sealed.userCode(model, userCode))
        return item && sealed.payload(item)
      }),
    consume: (id) => units.call(async (unit) => unit.consume(sealed.name(model, id))),
    destroy: (id) => units.call(async (unit) => unit.delete(sealed.name(model, id))),
    revokeByGrantId: (grantId) => units.call(async (unit) => unit.revokeGrant(grantId)),
  })
}
