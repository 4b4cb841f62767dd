import { createApp } from '../app.ts'
import type { Config } from '../config.ts'
import { randomId } from '../crypto/random.ts'
import { openWorkspace } from '../manage/open-workspace.ts'
import type { UpstreamSettings } from '../workspaces/settings.ts'
import type { McpSource, Workspace } from '../workspaces/workspace.ts'
import type { Gateway } from './assemble.ts'
import { type GatewayOptions, layFoundation } from './foundation.ts'
import { refusalNoter, watched } from './watch.ts'

/** One MCP server, and how it is reached. */
export interface Protected {
  readonly mcp: McpSource
  readonly upstream: UpstreamSettings
}

/**
 * A gateway in front of one MCP server: the same checks as everywhere, without a store. Records go to the log only, and
 * there is no management API.
 *
 * @throws GatewayError `config_invalid` for what must not start.
 */
export async function assembleProtect(
  config: Config,
  { mcp, upstream }: Protected,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const foundation = await layFoundation(config, options)
  try {
    const { log, now, publicUrl, hostRules } = foundation
    const { security } = foundation
    const write = watched(log.record, { security })
    const workspace: Workspace = {
      // Nobody needs it: the only workspace is found at `/mcp`.
      id: randomId(16),
      slug: 'protect',
      name: new URL(mcp.url).host,
      keptBy: 'file',
      reach: 'operator',
      inbound: undefined,
      rateLimiting: undefined,
      upstream,
      params: {},
      tools: 'all',
      document: undefined,
      mcp,
      createdAt: now(),
      updatedAt: now(),
    }
    foundation.publish([await openWorkspace(workspace, foundation.openOptions(write))])
    const app = createApp({
      version: foundation.version,
      stages: foundation.stages(write),
      directory: foundation.directory,
      hostRules,
      publicUrl,
      management: undefined,
      isReady: async () => true,
      onRefused: refusalNoter({ security }, now),
    })
    return { ...foundation, app }
  } catch (error) {
    await foundation.close()
    throw error
  }
}
