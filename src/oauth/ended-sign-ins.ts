import * as z from 'zod'
import type { ModelAdapter } from './adapter.ts'
import type { Revocations } from './revocations.ts'
import type { StoredPayload } from './sealed-items.ts'

const session = z.object({ uid: z.string(), accountId: z.string(), loginTs: z.number().default(0) })
const interaction = z.object({
  result: z.object({ login: z.object({ accountId: z.string(), ts: z.number().default(0) }) }),
})

/**
 * The adapters without sign-ins that were ended. To delete them is not enough: a request that has read its session keeps it again
 * at its end, which may be seconds later, as it waits for what a client says of itself; and who has given a password has a session
 * only once the next page is asked for.
 */
export function withoutEnded(
  adapter: (model: string) => ModelAdapter,
  revocations: Pick<Revocations, 'isOver'>,
): (model: string) => ModelAdapter {
  return (model) => {
    switch (model) {
      case 'Session':
        return standing(adapter(model), (payload) => {
          const { success, data } = session.safeParse(payload)
          if (!success) return false
          const { uid: sessionUid, accountId: subject, loginTs: signedInAtSeconds } = data
          return revocations.isOver({ sessionUid, subject, signedInAtSeconds })
        })
      case 'Interaction':
        return standing(adapter(model), (payload) => {
          const { success, data } = interaction.safeParse(payload)
          if (!success) return false
          const { accountId: subject, ts: signedInAtSeconds } = data.result.login
          return revocations.isOver({ subject, signedInAtSeconds })
        })
      default:
        return adapter(model)
    }
  }
}

function standing(adapter: ModelAdapter, isOver: (payload: StoredPayload) => boolean): ModelAdapter {
  const found = (payload: StoredPayload | undefined) => (payload === undefined || isOver(payload) ? undefined : payload)
  return {
    ...adapter,
    find: async (id) => found(await adapter.find(id)),
    findByUid: async (uid) => found(await adapter.findByUid(uid)),
  }
}
