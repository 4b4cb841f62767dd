import { Command } from 'commander'
import { type Config, configSchema, isPublic } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { type AccessSettings, accessSettings } from '../workspaces/access-settings.ts'
import { problemsOf, upstreamSettings } from '../workspaces/settings.ts'
import type { McpSource } from '../workspaces/workspace.ts'
import { addAuthOptions, configFrom } from './config-options.ts'
import { untilStopped } from './terminal.ts'
import { accessFrom, addAccessOptions, listOf, upstreamFrom } from './workspace-flags.ts'

type Flags = Readonly<Record<string, unknown>>

/** `gatehouse protect URL`: the checks of a workspace in front of one MCP server, without a store or a dashboard. */
export function protectCommand(): Command {
  const command = new Command('protect')
    .description('Protect one MCP server: every call needs a token, and is passed on unchanged')
    .argument('<url>', 'the MCP server, as in http://localhost:3000/mcp')
    .option('--port, --http-port <number>', 'port for Streamable HTTP (default: 8080) [PORT]')
    .option('--sse-port <number>', 'port for clients of the older SSE transport; every port serves both')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--allowed-hosts <list>', 'accepted Host names, besides this machine’s own [ALLOWED_HOSTS]')
    .option('--allowed-origins <list>', 'origins of pages that may call [CORS_ORIGIN]')
    .option('--public-url <url>', 'how clients reach this gateway, when not by host and port [PUBLIC_URL]')
  return addAccessOptions(addAuthOptions(command))
    .option('--tools <list>', 'offer only these tools')
    .option('--bearer <token>', 'token that the MCP server wants from us, or @file')
    .option('--api-key <key>', 'API key that the MCP server wants from us, or @file')
    .option('--api-key-header <name>', 'header of the API key', 'X-Api-Key')
    .option('--timeout-ms <number>', 'how long the MCP server may take to begin its answer, milliseconds')
    .option('--keys-dir <folder>', 'folder of the key file that signs sessions [KEYS_DIR]')
    .option('--log-level <level>', 'least level that is logged [LOG_LEVEL]')
    .option('--log-format <format>', 'text or json [LOG_FORMAT]')
    .action(protect)
}

async function protect(url: string, flags: Flags): Promise<void> {
  const ports = [flags['httpPort'], flags['ssePort']].filter((port) => port !== undefined)
  const { config, allPorts } = configOf(flags, ports)
  const target = { mcp: sourceOf(url, flags), access: accessOf(flags), upstream: upstreamOf(flags) }
  refuseRulesForNobody(target.access, config)
  // Before anything is said: whoever reads that we listen may ask us to stop at once.
  const stopped = untilStopped()
  const { startProtect } = await import('../server.ts')
  const { urls, gateway, stop } = await startProtect(config, target, { ports: allPorts })
  const { log } = gateway
  for (const at of urls) log.info(`Protecting ${shown(url)} at ${at}/mcp (also ${at}/sse)`)
  if (config.auth === undefined && !isPublic(config)) {
    log.warn(
      'No auth is configured: every program on this machine may call. Set --jwks-url, --jwt-secret or --public-key.',
    )
  }
  await stopped
  await stop()
}

/** The options of `gatehouse start` that make sense here; there is no file, no store and no workspace but this one. */
function configOf(flags: Flags, ports: readonly unknown[]): { config: Config; allPorts: readonly number[] } {
  const {
    url: _,
    httpPort,
    ssePort,
    publicTools,
    tools,
    toolScopes,
    adminTools,
    bearer,
    apiKey,
    apiKeyHeader,
    timeoutMs,
    ...rest
  } = flags
  const [first, ...more] = ports
  const config = configFrom({ ...rest, port: first }, { file: undefined })
  const others = more.map(portOf).filter((port) => port === 0 || port !== config.port)
  return { config, allPorts: [config.port, ...others] }
}

function portOf(given: unknown): number {
  const parsed = configSchema.shape.port.safeParse(given)
  if (parsed.success) return parsed.data
  throw new GatewayError('config_invalid', `protect: port: ${problemsOf(parsed.error).join('; ')}`)
}

/** Where nobody is asked who he is, these rules would let everybody do everything, in silence. */
function refuseRulesForNobody({ publicTools, toolScopes, adminTools }: AccessSettings, { auth }: Config): void {
  if (auth !== undefined && auth.authType !== 'none') return
  if (publicTools.length + Object.keys(toolScopes).length + adminTools.length === 0) return
  throw new GatewayError(
    'config_invalid',
    'protect: --public-tools, --tool-scopes and --admin-tools need to know who calls. Set --jwks-url, --jwt-secret or --public-key.',
  )
}

function sourceOf(url: string, flags: Flags): McpSource {
  if (!/^https?:\/\/./i.test(url)) {
    throw new GatewayError(
      'config_invalid',
      `protect takes the URL of an MCP server, as in http://localhost:3000/mcp, not ${url.slice(0, 60)}`,
    )
  }
  return { url, tools: listOf(flags['tools']) }
}

function accessOf(flags: Flags): AccessSettings {
  const parsed = accessSettings.safeParse(accessFrom(flags) ?? {})
  if (parsed.success) return parsed.data
  throw new GatewayError('config_invalid', `protect: ${problemsOf(parsed.error).join('; ')}`)
}

function upstreamOf(flags: Flags) {
  const { timeoutMs } = flags
  if (flags['bearer'] !== undefined && flags['apiKey'] !== undefined) {
    throw new GatewayError('config_invalid', 'protect: take --bearer or --api-key, not both.')
  }
  const timeout =
    timeoutMs === undefined ? {} : { timeoutMs: /^\d+$/.test(String(timeoutMs)) ? Number(timeoutMs) : timeoutMs }
  const parsed = upstreamSettings.safeParse({ auth: upstreamFrom(flags)?.auth, ...timeout })
  if (parsed.success) return parsed.data
  throw new GatewayError('config_invalid', `protect: ${problemsOf(parsed.error).join('; ')}`)
}

/** Without its query, which may hold a key. */
function shown(address: string): string {
  const { origin, pathname } = new URL(address)
  return origin + pathname
}
