import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { suite, test } from 'node:test'
import { type ErrorCode, GatewayError } from '../errors.ts'
import { createEgress, type EgressOptions } from './create-egress.ts'
import type { Egress, OutgoingRequest } from './egress.ts'

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port }: AddressInfo = address
  return port
}

async function withHttp(
  handler: http.RequestListener,
  run: (origin: string, server: http.Server) => Promise<void>,
): Promise<void> {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await run(`http://127.0.0.1:${portOf(server)}`, server)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function withEgress(run: (egress: Egress) => Promise<void>, options?: EgressOptions): Promise<void> {
  const egress = createEgress(options)
  try {
    await run(egress)
  } finally {
    await egress.close()
  }
}

function get(origin: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'GET',
    origin,
    path: '/',
    headers: {},
    reach: 'operator',
    timeoutMs: 5000,
    responseBytesMax: 100_000,
    ...more,
  }
}

async function failsWith(code: ErrorCode, promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof GatewayError, String(error))
  assert.equal(error.code, code, error.message)
  return error
}

suite('hosts are checked at the dial', () => {
  test('loopback in any notation is refused for a person', async () => {
    await withEgress((egress) =>
      withHttp(
        (_request, response) => response.end(),
        async (origin) => {
          const { port } = new URL(origin)
          for (const host of ['127.0.0.1', '127.1', '0x7f.1', '[::ffff:127.0.0.1]', 'localhost']) {
            const error = await failsWith(
              'egress_refused',
              egress.send(get(`http://${host}:${port}`, { reach: 'person' })),
            )
            assert.ok(!error.message.includes('127.'), error.message)
          }
          assert.equal((await egress.send(get(origin))).status, 200)
        },
      ),
    )
  })

  test('one forbidden address among several refuses the host', async () => {
    const resolveHost = async () => [
      { address: '8.8.8.8', family: 4 as const },
      { address: '10.0.0.1', family: 4 as const },
    ]
    await withEgress(
      async (egress) => {
        const sent = egress.send(get('http://two.example', { reach: 'person', calledAs: 'The login URL' }))
        const error = await failsWith('egress_refused', sent)
        assert.equal(
          error.message,
          'The login URL may not be called: private addresses may be named by the operator only.',
        )
      },
      { resolveHost },
    )
  })

  test('metadata behind a name is refused for the operator too', async () => {
    const resolveHost = async () => [{ address: '169.254.169.254', family: 4 as const }]
    await withEgress(
      async (egress) => {
        await failsWith('egress_refused', egress.send(get('http://innocent.example')))
      },
      { resolveHost },
    )
  })

  test('a name that changes its answer is looked up once a dial, and each answer is checked', async () => {
    let lookups = 0
    const resolveHost = async () => {
      lookups += 1
      // A harmless answer for the check, loopback for the call: what a rebinding name does.
      return [{ address: lookups === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 as const }]
    }
    await withEgress(
      (egress) =>
        withHttp(
          (_request, response) => response.writeHead(200, { connection: 'close' }).end('first'),
          async (origin) => {
            const named = `http://rebinding.example:${new URL(origin).port}`
            assert.equal((await egress.send(get(named))).body.toString(), 'first')
            assert.equal(lookups, 1)
            await failsWith('egress_refused', egress.send(get(named)))
            assert.equal(lookups, 2)
          },
        ),
      { resolveHost },
    )
  })

  test('a name without addresses is unreachable', async () => {
    await withEgress(
      async (egress) => {
        const error = await failsWith('upstream_unreachable', egress.send(get('http://nobody.example')))
        assert.match(error.message, /host name is not known/)
      },
      { resolveHost: async () => [] },
    )
  })

  test('a host on the allow-list may be private for a person, but never metadata', async () => {
    const resolveHost = async (name: string) => [
      { address: name === 'intranet.example' ? '127.0.0.1' : '169.254.169.254', family: 4 as const },
    ]
    await withEgress(
      (egress) =>
        withHttp(
          (_request, response) => response.end(),
          async (origin) => {
            const { port } = new URL(origin)
            const call = (host: string) => egress.send(get(`http://${host}:${port}`, { reach: 'person' }))
            assert.equal((await call('intranet.example')).status, 200)
            await failsWith('egress_refused', call('cloud.example'))
            await failsWith('egress_refused', call('127.0.0.1'))
          },
        ),
      { resolveHost, allowedHosts: ['Intranet.example', 'cloud.example'] },
    )
  })
})

/** A self-signed certificate for `localhost`, made here: nothing in the repository looks like a private key. */
function makeCertificate() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const der = (tag: number, ...parts: Buffer[]) => {
    const content = Buffer.concat(parts)
    const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff]
    return Buffer.concat([Buffer.from([tag, ...length]), content])
  }
  const ed25519 = der(0x30, Buffer.from('06032b6570', 'hex'))
  const name = der(0x30, der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('localhost')))))
  const validity = der(0x30, der(0x17, Buffer.from('240101000000Z')), der(0x17, Buffer.from('490101000000Z')))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const body = der(0x30, der(0x02, Buffer.from([1])), ed25519, name, validity, name, spki)
  const signature = der(0x03, Buffer.from([0]), sign(null, body, privateKey))
  const certificate = der(0x30, body, ed25519, signature).toString('base64')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`,
  }
}

test('a certificate that nobody vouches for is refused, and nothing is sent', async () => {
  let requests = 0
  const server = https.createServer(makeCertificate(), (_request, response) => {
    requests += 1
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await withEgress(async (egress) => {
    const error = await failsWith('upstream_unreachable', egress.send(get(`https://localhost:${portOf(server)}`)))
    assert.match(error.message, /TLS certificate is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
    assert.equal(requests, 0)
  })
  server.close()
})
