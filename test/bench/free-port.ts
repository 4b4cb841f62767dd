import { createServer } from 'node:net'
import { listen } from './listen.ts'

const ATTEMPTS = 5

/** Starts something that cannot take port 0 itself, on a port that was free a moment ago; once more with another when that was taken. */
export async function onFreePort<Started>(start: (port: number) => Promise<Started>): Promise<Started> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort()
    try {
      return await start(port)
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  const origin = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return Number(new URL(origin).port)
}
