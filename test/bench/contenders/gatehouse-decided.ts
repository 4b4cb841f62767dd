import { type StartContender, TOOL_NAME } from '../contender.ts'
import { startInProcess } from '../gatehouse-in-process.ts'

/** More than any load makes in a window, so that every call is counted and none refused. */
const NEVER_REACHED = 1_000_000_000

/**
 * The same gateway with all that decides who may call what: scopes and an administrator's tool, rules, limits by caller, tool
 * and address, the limit of failed sign-ins, the security log in a file.
 */
export const start: StartContender = (setup) =>
  startInProcess(setup, {
    file: { failedAuth: { max: 100, windowMs: 60_000 }, securityLogging: { logToFile: true } },
    workspace: {
      access: {
        toolScopes: { [TOOL_NAME]: { allOf: ['items:read'], anyOf: ['items:read', 'items:write'] } },
        adminTools: ['listPart1OfItem'],
        rules: [
          { effect: 'deny', tools: ['listPart*'], when: `caller.subject == 'nobody'` },
          { effect: 'allow', when: `'items:read' in caller.scopes && size(args) > 0` },
        ],
      },
      rateLimiting: {
        maxRequests: NEVER_REACHED,
        maxToolCalls: NEVER_REACHED,
        maxRequestsPerAddress: NEVER_REACHED,
        tools: { [TOOL_NAME]: NEVER_REACHED },
      },
    },
  })
