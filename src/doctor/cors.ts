import { askInitialize } from './mcp-probes.ts'
import { type Answered, ask, type World } from './probe.ts'
import { type Check, failed, passed } from './report.ts'

/** Whether pages of this origin may call the endpoint and read its answers, the challenge among them. */
export async function checkCors(world: World, url: URL, origin: string): Promise<Check> {
  const asked = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization, content-type, mcp-protocol-version',
  }
  const preflight = await ask(world, url, { method: 'OPTIONS', headers: asked })
  if (!preflight.ok) return failed('cors', 'cors_missing', `OPTIONS: ${preflight.detail}`)
  if (preflight.status === 403) return failed('cors', 'origin_refused')
  if (!mayRead(preflight, origin)) return failed('cors', 'cors_missing', `OPTIONS was answered ${preflight.status}.`)
  const answer = await askInitialize(world, url, { origin })
  if (!answer.ok || !mayRead(answer, origin)) return failed('cors', 'cors_missing')
  const exposed = answer.header('access-control-expose-headers') ?? ''
  if (answer.status === 401 && !/\*|www-authenticate/i.test(exposed)) return failed('cors', 'cors_hides_challenge')
  return passed('cors', `Pages of ${origin} may call.`)
}

function mayRead(answer: Answered, origin: string): boolean {
  const allowed = answer.header('access-control-allow-origin')
  return allowed === origin || allowed === '*'
}
