import { type HostRules, isAllowedOrigin } from './host-and-origin.ts'

const PREFLIGHT = {
  'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
  'Access-Control-Max-Age': '600',
}
const EXPOSED = 'Mcp-Session-Id, WWW-Authenticate, X-Request-Id, Retry-After'
const ALLOWED_ALWAYS =
  'Authorization, DPoP, Content-Type, Accept, Agent-Session, X-API-Key, Mcp-Session-Id, X-MCP-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID'

/** The CORS headers of an answer to a page of this origin; undefined when it is none of ours. Never `*`, never credentials. */
export function corsHeaders(
  origin: string | undefined,
  rules: HostRules,
): Readonly<Record<string, string>> | undefined {
  if (origin === undefined || !isAllowedOrigin(origin, rules)) return undefined
  return { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED, Vary: 'Origin' }
}

/** What a preflight adds. `Mcp-Param-*` names depend on the tool, so those that are asked for are granted. */
export function preflightHeaders(requested: string | undefined): Readonly<Record<string, string>> {
  const extra = (requested ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => /^mcp-param-[a-z0-9-]{1,64}$/i.test(name))
    .slice(0, 20)
  return { ...PREFLIGHT, 'Access-Control-Allow-Headers': [ALLOWED_ALWAYS, ...extra].join(', ') }
}
