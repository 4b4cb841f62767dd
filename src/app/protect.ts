import { createApp } from '../app.ts'
import type { Config } from '../config.ts'
import { hmacSha256 } from '../crypto/hash.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { openWorkspace } from '../manage/open-workspace.ts'
import type { AccessSettings } from '../workspaces/access-settings.ts'
import type { UpstreamSettings } from '../workspaces/settings.ts'
import type { McpSource, Workspace } from '../workspaces/workspace.ts'
import type { Gateway } from './assemble.ts'
import { type GatewayOptions, layFoundation } from './foundation.ts'
import { refusalNoter, watched } from './watch.ts'

/** One MCP server, and how it is reached. */
export interface Protected {
  readonly mcp: McpSource
  readonly access: AccessSettings
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
  { mcp, access, upstream }: Protected,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const foundation = await layFoundation(config, options)
  try {
    const { log, now, publicUrls, hostRules } = foundation
    const { security } = foundation
    const write = watched(log.record, { security })
    const workspace: Workspace = {
      id: workspaceId(mcp.url, foundation.keyring),
      accountId: 'protect',
      slug: 'protect',
      name: URL.parse(mcp.url)?.host ?? mcp.url,
      keptBy: 'file',
      reach: 'operator',
      inbound: undefined,
      access,
      rateLimiting: undefined,
      upstream,
      params: {},
      tools: 'all',
      document: undefined,
      mcp,
      createdAt: now(),
      updatedAt: now(),
    }
    const open = await openWorkspace(workspace, foundation.openOptions(write))
    await open.started
    foundation.publish([open])
    const app = createApp({
      version: foundation.version,
      stages: foundation.stages(write),
      directory: foundation.directory,
      hostRules,
      publicUrls,
      management: undefined,
      jwks: undefined,
      isReady: async () => true,
      onRefused: refusalNoter({ security, log }, now),
    })
    return { ...foundation, app }
  } catch (error) {
    await foundation.close()
    throw error
  }
}

/**
 * Nobody has to know it, as the only workspace is found at `/mcp`; but sessions belong to it. So it is the same after a restart
 * with the same keys, and another one in front of another server, which must not be sent this one's sessions.
 */
function workspaceId(url: string, keyring: Keyring): string {
  return Buffer.from(hmacSha256(keyring.derive('protected server'), url), 'base64url')
    .toString('hex')
    .slice(0, 20)
}
