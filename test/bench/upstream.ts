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

/** The API behind every contender: a constant answer, at once. */
export const start: StartContender = async () => {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, headers).end(body)
  })
  return { url: await listen(server), headers: {}, body: '', expects: UPSTREAM_MARKER }
}
