import assert from 'node:assert/strict'
import { pbkdf2 } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { createLookUps, dnsResolver, type ResolveHost } from './look-up.ts'

const TYPE_A = 1
const NO_SUCH_NAME = 3
const SERVER_FAILURE = 2

interface Reply {
  readonly code?: number
  /** Addresses of IPv4. */
  readonly addresses?: readonly string[]
}

/** A name server (RFC 1035); no reply: it stays silent. */
async function withNameServer(
  reply: (name: string, type: number) => Reply | undefined,
  run: (resolve: ResolveHost, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const question = query.subarray(12, at + 5)
    const type = query.readUInt16BE(at + 1)
    const name = labels.join('.')
    if (type === TYPE_A) asked.push(name)
    const answer = reply(name, type)
    if (answer === undefined) return
    const { code = 0, addresses = [] } = answer
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(addresses.length, 6)
    head.fill(0, 8)
    const records = addresses.map((one) =>
      Buffer.from([0xc0, 0x0c, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...one.split('.').map(Number)]),
    )
    socket.send(Buffer.concat([head, question, ...records]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  try {
    await run(dnsResolver({ servers: [`127.0.0.1:${socket.address().port}`], timeoutMs: 100 }), asked)
  } finally {
    socket.close()
  }
}

suite('the name servers', () => {
  test('give the addresses of a name, also where they fail for one kind of them', async () => {
    const reply = (_: string, type: number) =>
      type === TYPE_A ? { addresses: ['192.0.2.1'] } : { code: SERVER_FAILURE }
    await withNameServer(reply, async (resolve, asked) => {
      assert.deepEqual(await resolve('API.example.'), [{ address: '192.0.2.1', family: 4 }])
      assert.deepEqual(new Set(asked.map((name) => name.toLowerCase())), new Set(['api.example']))
    })
  })

  test('give none for a name that nobody knows or that has none', async () => {
    const reply = (name: string) => ({ code: name === 'empty.example' ? 0 : NO_SUCH_NAME })
    await withNameServer(reply, async (resolve) => {
      assert.deepEqual(await resolve('empty.example'), [])
      assert.deepEqual(await resolve('nobody.example'), [])
    })
  })

  for (const [name, reply] of [
    ['fail', { code: SERVER_FAILURE }],
    ['are silent', undefined],
  ] as const) {
    test(`that ${name} are told from those that know of none`, async () => {
      await withNameServer(
        () => reply,
        async (resolve) => {
          await assert.rejects(resolve('api.example'), { code: 'EAI_AGAIN' })
        },
      )
    })
  }

  test('are asked without a thread of the pool, which has four for the whole process', async () => {
    await withNameServer(
      () => ({ addresses: ['192.0.2.1'] }),
      async (resolve) => {
        const { promise: aThreadIsFree, resolve: freed } = Promise.withResolvers<string>()
        for (let job = 0; job < 8; job += 1) pbkdf2('x', 'y', 500_000, 64, 'sha512', () => freed('a thread'))
        assert.notEqual(await Promise.race([resolve('api.example'), aThreadIsFree]), 'a thread')
        await aThreadIsFree
      },
    )
  })

  test('are never asked for localhost, which is no public host', async () => {
    await withNameServer(
      () => ({ addresses: ['192.0.2.1'] }),
      async (resolve, asked) => {
        for (const name of ['localhost', 'LOCALHOST.', 'api.localhost']) {
          assert.deepEqual(await resolve(name), [{ address: '127.0.0.1', family: 4 }])
        }
        assert.deepEqual(asked, [])
      },
    )
  })
})

test('a name is looked up once at a time, however many connections of whomever wait for it', async () => {
  const asked: string[] = []
  const { operator, person } = createLookUps(async (name) => {
    asked.push(name)
    return [{ address: '192.0.2.1', family: 4 }]
  })
  const waiting = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? operator : person)('slow.example'))
  await Promise.all([...waiting, person('other.example')])
  assert.deepEqual(asked, ['slow.example', 'other.example'])
  await person('slow.example')
  assert.equal(asked.length, 3)
})
