import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { problemAnswer } from '../api/contract.ts'
import { ACCOUNT_HEADER } from '../api/routes.ts'
import type { Connection } from '../config.ts'
import { readKeyFile } from '../crypto/key-file.ts'
import { createEgress } from '../egress/create-egress.ts'
import { GatewayError } from '../errors.ts'

/** The running gateway's `/api`, called with the operator's key file. */
export interface AdminClient extends AsyncDisposable {
  /** @throws GatewayError with the gateway's own words, or saying that no gateway answers. */
  call<Schema extends z.ZodType>(
    method: string,
    path: string,
    schema: Schema,
    body?: unknown,
  ): Promise<z.output<Schema>>
}

const TIMEOUT_MS = 60_000
const ANSWER_BYTES_MAX = 50_000_000

export interface AdminClientOptions {
  /** The gateway's; by default where it listens. */
  readonly url?: string | undefined
  /** The account that calls are about; by default the default account. */
  readonly account?: string | undefined
}

export function createAdminClient(connection: Connection, { url, account }: AdminClientOptions = {}): AdminClient {
  const { origin } = url === undefined ? addressOf(connection) : parseAddress(url)
  const keyFile = join(connection.keysDir, 'admin.key')
  const adminKey = readAdminKey(keyFile, origin)
  const egress = createEgress()
  return {
    async call(method, path, schema, body) {
      const response = await egress
        .send({
          method,
          origin,
          path,
          headers: {
            authorization: `Bearer ${adminKey}`,
            ...(account === undefined ? {} : { [ACCOUNT_HEADER]: account }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          body: body === undefined ? undefined : JSON.stringify(body),
          reach: 'operator',
          timeoutMs: TIMEOUT_MS,
          responseBytesMax: ANSWER_BYTES_MAX,
          calledAs: 'The gateway',
        })
        .catch((error: unknown) => {
          throw unanswered(origin, error)
        })
      const answer = parseJson(response.body.toString('utf8'))
      if (response.status >= 400) throw refused(response.status, answer, keyFile)
      const parsed = schema.safeParse(answer)
      if (parsed.success) return parsed.data
      throw new GatewayError(
        'unavailable',
        `What answers at ${origin} is no Gatehouse, or one of another version. Name yours with --gateway.`,
      )
    },
    [Symbol.asyncDispose]: () => egress.close(),
  }
}

/** Where a gateway of this configuration is reached from its own machine. */
function addressOf({ host, port }: Connection): URL {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return new URL(`http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`)
}

function parseAddress(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return url
  throw new GatewayError('config_invalid', '--gateway takes a URL, as in http://127.0.0.1:8080')
}

/** A gateway makes the file when it first starts, so without one there was none. */
function readAdminKey(keyFile: string, origin: string): string {
  if (existsSync(keyFile)) return readKeyFile(keyFile)
  throw new GatewayError(
    'config_invalid',
    `There is no key file ${keyFile}, so no gateway has run here. Start one with: gatehouse start (looked for it at ${origin}; if it keeps its keys elsewhere, add --keys-dir)`,
  )
}

function unanswered(origin: string, cause: unknown): unknown {
  if (!(cause instanceof GatewayError) || cause.code !== 'upstream_unreachable') return cause
  return new GatewayError(
    'unavailable',
    `No gateway answers at ${origin}. Start one with: gatehouse start (if it runs elsewhere, add --port or --gateway). ${cause.message}`,
    { cause },
  )
}

/** Undefined for what is no JSON: then it is no answer of ours. */
function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function refused(status: number, answer: unknown, keyFile: string): GatewayError {
  const problem = problemAnswer.safeParse(answer)
  if (!problem.success) return new GatewayError('unavailable', `The gateway answered ${status}.`)
  const { code, detail } = problem.data
  if (code !== 'invalid_token') return new GatewayError('invalid_request', detail)
  return new GatewayError(
    'invalid_request',
    `The gateway does not accept the key in ${keyFile}: it was started with another --keys-dir.`,
  )
}
