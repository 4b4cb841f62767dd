import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { GatewayError } from '../errors.ts'
import { createKeyring } from './keyring.ts'
import { seal, unseal } from './seal.ts'

const KEYRING = createKeyring('the master secret of this installation')
const ROW = 'workspaces/abc/params'
const CANARY = 'CANARY-hunter2'

/** `unseal` refuses, and nothing in the error, its causes included, tells of the content. */
function refuses(row: string, sealed: string, keyring = KEYRING): void {
  assert.throws(
    () => unseal(keyring, row, sealed),
    (error) => {
      assert.ok(error instanceof GatewayError)
      assert.equal(error.code, 'internal')
      assert.equal(error.message, 'A stored secret cannot be read.')
      assert.ok(!inspect(error, { depth: 10 }).includes('hunter2'))
      return true
    },
  )
}

function withBody(sealed: string, edit: (bytes: Buffer) => Buffer): string {
  const [version, keyId, body = ''] = sealed.split('.')
  return [version, keyId, edit(Buffer.from(body, 'base64url')).toString('base64url')].join('.')
}

suite('seal and unseal', () => {
  test('open what was sealed, whatever the text and the row', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, row) => {
        assert.equal(unseal(KEYRING, row, seal(KEYRING, row, text)), text)
      }),
    )
  })

  test('the sealed text names its version and key and shows nothing of the content', () => {
    const sealed = seal(KEYRING, ROW, CANARY)
    assert.match(sealed, new RegExp(`^v1\\.${KEYRING.keyId}\\.[A-Za-z0-9_-]+$`))
    assert.ok(!sealed.includes(Buffer.from(CANARY).toString('base64url').slice(2, 10)))
  })

  test('every call takes a fresh nonce: the same text never looks the same', () => {
    const nonces = Array.from({ length: 1000 }, () => {
      const body = seal(KEYRING, ROW, CANARY).split('.')[2] ?? ''
      return Buffer.from(body, 'base64url').subarray(0, 12).toString('hex')
    })
    assert.equal(new Set(nonces).size, 1000)
  })

  test('refuse a value that was moved to another row', () => {
    refuses('workspaces/other/params', seal(KEYRING, ROW, CANARY))
    refuses('', seal(KEYRING, ROW, CANARY))
  })

  test('refuse a value of another installation', () => {
    refuses(ROW, seal(KEYRING, ROW, CANARY), createKeyring('the master secret of another installation'))
  })

  test('tell the operator, and only in the cause, which key a value needs', () => {
    const other = createKeyring('the master secret of another installation')
    assert.throws(
      () => unseal(KEYRING, ROW, seal(other, ROW, CANARY)),
      (error) => inspect(error, { depth: 10 }).includes(`sealed under key ${other.keyId}, this is ${KEYRING.keyId}`),
    )
  })

  test('refuse a value of another key that claims to be ours', () => {
    const other = createKeyring('the master secret of another installation')
    refuses(ROW, seal({ ...other, keyId: KEYRING.keyId }, ROW, CANARY))
  })

  test('refuse a value with any one byte flipped', () => {
    const sealed = seal(KEYRING, ROW, CANARY)
    const length = Buffer.from(sealed.split('.')[2] ?? '', 'base64url').length
    for (let index = 0; index < length; index += 1) {
      const flipped = withBody(sealed, (bytes) => {
        bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index)
        return bytes
      })
      refuses(ROW, flipped)
    }
  })

  test('refuse a value that was cut anywhere', () => {
    const sealed = seal(KEYRING, ROW, CANARY)
    for (let length = 0; length < sealed.length; length += 1) refuses(ROW, sealed.slice(0, length))
  })

  test('refuse a value with something added', () => {
    const sealed = seal(KEYRING, ROW, CANARY)
    for (const added of [`${sealed}AAAA`, `${sealed}.AAAA`, ` ${sealed}`, `v1.${sealed}`]) refuses(ROW, added)
  })

  test('refuse any text that was never sealed', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((body) => `v1.${KEYRING.keyId}.${body}`),
        ),
        (text) => refuses(ROW, text),
      ),
    )
  })
})
