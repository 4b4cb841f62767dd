import { createServer } from 'node:http'
import { type StartContender, UPSTREAM_MARKER } from './contender.ts'
import { listen } from './listen.ts'

const body = JSON.stringify({
  id: '42',
  name: 'Desk lamp',
  description:
    'Warm light, two joints, and a text that is long enough to make a usual answer of some three hundred bytes',
  price: 34.5,
  tags: ['desk', 'light', 'warm'],
  createdAt: '2026-01-01T00:00:00.000Z',
  source: UPSTREAM_MARKER,
  stock: { berlin: 12, lisbon: 3 },
})

/** The same text as an MCP server answers the one call that every contender makes. */
const mcpBody = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: body }] } })

/** The API behind every contender: a constant answer, at once. At `/mcp` it is an MCP server. */
export const start: StartContender = async () => {
  const server = createServer((request, response) => {
    request.resume()
    const text = request.url === '/mcp' ? mcpBody : body
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    response.writeHead(200, headers).end(text)
  })
  return { url: await listen(server), headers: {}, body: '', expects: UPSTREAM_MARKER }
}
