import { generateKeyPairSync, sign } from 'node:crypto'

/** A self-signed certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Makes a self-signed P-256 certificate (RFC 5280 §4.1) for these DNS names, and this machine's address where asked. */
export function makeCertificate({
  names,
  from = '20200101000000Z',
  to = '21200101000000Z',
}: {
  readonly names: readonly string[]
  /** GeneralizedTime. */
  readonly from?: string
  readonly to?: string
}): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSha256 = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
  // Of several with one name, OpenSSL trusts only the first.
  const name = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(`${names[0]} until ${to}`)))))
  const time = (text: string) => der(0x18, Buffer.from(text))
  const hosts = names.map((host) =>
    host === '127.0.0.1' ? der(0x87, Buffer.from([127, 0, 0, 1])) : der(0x82, Buffer.from(host)),
  )
  const subjectAltName = der(0x30, der(0x06, Buffer.from('551d11', 'hex')), der(0x04, der(0x30, ...hosts)))
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    der(0x30, time(from), time(to)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, subjectAltName)),
  )
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]))
  const whole = der(0x30, body, ecdsaWithSha256, signature).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${whole.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

const COMMON_NAME = Buffer.from('0603550403', 'hex')

/** One element of DER: its tag, its length and what is in it. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const inner = Buffer.concat(content)
  const { length } = inner
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(head), inner])
}
