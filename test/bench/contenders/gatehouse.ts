import type { StartContender } from '../contender.ts'
import { startInProcess } from '../gatehouse-in-process.ts'

/**
 * Gatehouse with everything on: the JWT by JWKS with audience and scope, the upstream's token from a login, the record
 * written to the embedded store.
 */
export const start: StartContender = (setup) => startInProcess(setup)
