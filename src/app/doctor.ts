import type { Account } from '../accounts/account.ts'
import type { Examine } from '../api/doctor.ts'
import { type Config, isLoopback } from '../config.ts'
import type { Inside } from '../doctor/examine.ts'
import type { Report } from '../doctor/report.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import type { WorkspaceManager } from '../manage/workspace-manager.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'
import { workspacePath } from '../workspaces/workspace.ts'
import type { Foundation } from './foundation.ts'

/** All probes together: less than the command waits for us. */
const DEADLINE_MS = 45_000

interface Inner extends Pick<Inside, 'issued'> {
  readonly workspacesOf: (account: Account) => WorkspaceManager<OpenWorkspace>
  /** What counts for a workspace that says nothing about callers. */
  readonly defaultAuth: InboundAuthSettings
}

/** The doctor inside the gateway: the settings of a workspace first, then what the URL looks like from here. */
export function createDoctor(
  config: Config,
  foundation: Pick<Foundation, 'egress' | 'now' | 'publicUrls' | 'hostRules'>,
  { workspacesOf, defaultAuth, issued }: Inner,
): Examine {
  const { egress, now, publicUrls, hostRules } = foundation
  const insideOf = (reference: string, account: Account, publicUrl: string): Inside => {
    const manager = workspacesOf(account)
    const workspace = manager.get(reference)
    const limits = workspace.rateLimiting ?? config.rateLimiting
    return {
      workspaceId: workspace.id,
      issued,
      auth: workspace.inbound ?? defaultAuth,
      isDevelopment: config.isDevelopment,
      isServed: manager.opened(reference) !== undefined,
      endpoint: publicUrl + workspacePath(workspace),
      hasPublicUrl: config.publicUrl !== undefined,
      hosts: hostRules().hosts,
      listensOnLoopback: isLoopback(config.host),
      limitsByPeer:
        config.trustProxy.length === 0 &&
        (config.failedAuth !== undefined || limits?.maxRequestsPerAddress !== undefined),
    }
  }
  return async ({ workspace, url, token, origin }, { account, reach, publicUrl }): Promise<Report> => {
    // Loaded when it is asked for the first time: a start need not wait for thirty files that most days nobody needs.
    const [{ diagnose }, { examineWorkspace }, { reportOf }] = await Promise.all([
      import('../doctor/diagnose.ts'),
      import('../doctor/examine.ts'),
      import('../doctor/report.ts'),
    ])
    // The holder of the admin key is the operator, who may name private addresses (PRODUCT.md, 13); people may not.
    const world = { egress, now, reach, signal: AbortSignal.timeout(DEADLINE_MS) }
    // The client has one of our names: that is how it is called there, whatever whoever asks has called.
    const clientOrigin = URL.parse(url ?? '')?.origin
    const asClient = clientOrigin !== undefined && publicUrls.forwarded.has(clientOrigin) ? clientOrigin : publicUrl
    const inside =
      workspace === undefined
        ? []
        : await examineWorkspace(insideOf(workspace, account, asClient), { token, url }, world)
    const outside = url === undefined ? [] : (await diagnose({ url, token, origin }, world)).checks
    return reportOf([...inside, ...outside], token)
  }
}
