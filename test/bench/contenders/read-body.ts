import type { IncomingMessage } from 'node:http'

/** The request's body, parsed and trusted to be what the bench sends: for measuring only. */
export async function readJsonBody<Body>(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', reject)
    request.on('end', resolve)
  })
  return JSON.parse(Buffer.concat(chunks).toString())
}
