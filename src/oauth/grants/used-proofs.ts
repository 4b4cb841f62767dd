import { GatewayError } from '../../errors.ts'
import type { UsedProofs } from '../../identify/dpop-used.ts'
import type { SessionStorage } from '../session-storage.ts'

/** Proofs that came, kept with what processes share: another one refuses them too (THREATS.md, T27). */
export function usedProofs({ adapter }: Pick<SessionStorage, 'adapter'>, now: () => number): UsedProofs {
  const marks = adapter('ReplayDetection')
  return {
    async take(name, { until }) {
      try {
        // Put as new at once, outside of any unit of work: of two at the same time one fails.
        await marks.upsert(`dpop ${name}`, {}, Math.max(1, Math.ceil((until - now()) / 1000)))
        return true
      } catch (error) {
        if (error instanceof GatewayError && error.code === 'conflict') return false
        throw error
      }
    },
  }
}
