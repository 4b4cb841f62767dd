/** A message with the headers that go with it. */
export interface Attempt {
  readonly name: string
  readonly headers: readonly string[]
  readonly body: string
}

/** Methods of HTTP, known and less known. */
export const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'TRACE',
  'PROPFIND',
  'SEARCH',
  'LINK',
  'M-SEARCH',
]
/** What a body may be called, and what it may not. */
export const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'APPLICATION/JSON',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json-rpc',
  'application/vnd.api+json',
  'text/event-stream',
  '',
]

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'attacker', version: '1' },
}
/** The params of a call that must not happen. */
const call = { name: 'listThings', arguments: {} }

/** One message of every era and kind, with the headers that go with it. */
export const MESSAGES: readonly Attempt[] = [
  older('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }),
  older('tools/list'),
  older('tools/call', call),
  older('ping'),
  older('completion/complete'),
  {
    ...older('notifications/cancelled', { requestId: 1 }),
    body: '{"jsonrpc":"2.0","method":"notifications/cancelled"}',
  },
  {
    ...older('tools/call', call),
    name: 'with a session',
    headers: ['Mcp-Session-Id: W10.AAAA', 'MCP-Protocol-Version: 2025-06-18'],
  },
  modern('server/discover'),
  modern('tools/list'),
  modern('tools/call', call),
  { name: 'a batch', headers: [], body: `[${older('tools/call', call).body}]` },
  { name: 'a response', headers: [], body: '{"jsonrpc":"2.0","id":1,"result":{}}' },
  { name: 'an unknown revision', headers: ['MCP-Protocol-Version: 2099-01-01'], body: older('tools/call', call).body },
  { name: 'no JSON', headers: [], body: 'tools/call listThings' },
  { name: 'nothing', headers: [], body: '' },
]

function older(method: string, params?: unknown) {
  return { name: method, headers: [], body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) }
}

function modern(method: string, params: Readonly<Record<string, unknown>> = {}) {
  const name = typeof params['name'] === 'string' ? [`Mcp-Name: ${params['name']}`] : []
  return {
    name: `${method} of 2026-07-28`,
    headers: ['MCP-Protocol-Version: 2026-07-28', `Mcp-Method: ${method}`, ...name],
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
  }
}

/** Every address that might be the workspace's to some router: the aliases, and what normalises to them. */
export function addressesOf({
  origin,
  path,
  token,
}: {
  origin: string
  path: string
  token: string
}): readonly string[] {
  const aliases = ['', '/', '/mcp', '/sse', '/message', '/messages', '/mcp/message', '/mcp/']
  const named = aliases.map((alias) => path + alias)
  const short = ['/mcp', '/sse', '/message', '/messages', '/mcp/message', '/mcp/', '/sse/']
  const twisted = [
    `/${path}`,
    `//${path.slice(1)}/mcp`,
    `${path}//mcp`,
    `${path}//`,
    `${path}/./mcp`,
    `/x/..${path}`,
    `${path}/../${path.slice(1)}/mcp`,
    `/health/live/..${path}`,
    `/health/ready/../..${path}/mcp`,
    `/.well-known/oauth-protected-resource/../..${path}`,
    `/api/openapi.json/../..${path}`,
    `/api/openapi.json/..;${path}`,
    `${path}/%6dcp`,
    `/%2e%2e${path}`,
    `/%2f${path.slice(1)}`,
    `${path.replace('-', '%2D')}`,
    `${path}%00`,
    `${path};x=1`,
    `${path}/mcp;jsessionid=1`,
    `${path}.json`,
    path.toUpperCase(),
    `${path}/MCP`,
    `${path}\\mcp`,
    `${origin}${path}`,
    `http://localhost${path}/mcp`,
    `${path}?access_token=${token}`,
    `${path}?token=${token}&authorization=Bearer%20${token}`,
    `${path}/mcp?api_key=${token}&agent-session=${token}`,
    `${path}?`,
    `${path}#/health/live`,
    '*',
  ]
  return [...named, ...short, ...twisted]
}

/** Every address that might be one of `/api` to some router. */
export function apiAddressesOf(known: {
  origin: string
  path: string
  id: string
  adminKey: string
}): readonly string[] {
  const { origin, path, id, adminKey } = known
  const plain = [
    '/api',
    '/api/',
    '/api/workspaces',
    '/api/workspaces/',
    `/api/workspaces/${id}`,
    `/api/workspaces/${id}/import`,
    `/api/workspaces/${id}/tools`,
    '/api/workspaces/guarded',
    '/api/logs',
    '/api/logs?limit=1000',
    '/api/nothing',
  ]
  const twisted = [
    '//api/workspaces',
    '/api//workspaces',
    '/api/./workspaces',
    '/api/openapi.json/../workspaces',
    '/api/openapi.json/..;/workspaces',
    '/health/live/../../api/workspaces',
    '/.well-known/oauth-protected-resource/../../api/workspaces',
    '/API/workspaces',
    '/Api/Workspaces',
    '/%61pi/workspaces',
    '/api%2fworkspaces',
    '/api/workspaces;x',
    '/api/workspaces%00',
    '/api\\workspaces',
    `${path}/../api/workspaces`,
    `/api/workspaces?key=${adminKey}`,
    `/api/workspaces?access_token=${adminKey}&admin_key=${adminKey}`,
    `${origin}/api/workspaces`,
  ]
  return [...plain, ...twisted]
}

/** The body of a call in the older era. */
export const TOOL_CALL = older('tools/call', call).body
