import { KeyObject } from 'node:crypto'
import type * as Library from 'oidc-provider'
import { GatewayError } from '../errors.ts'
import type { SigningKeys } from '../tokens/signing-keys.ts'

/** The part of our signing keys that the library needs. */
export type ProviderKeys = Pick<SigningKeys, 'signer' | 'find' | 'signBytes'>

/**
 * Our signing key, as the library takes one: whichever signs at the moment, so that a rotation reaches it at once. The private
 * half stays where it is.
 */
export function externalKey(
  { ExternalSigningKey }: Pick<typeof Library, 'ExternalSigningKey'>,
  keys: ProviderKeys,
): Library.ExternalSigningKey {
  return new (class extends ExternalSigningKey {
    override get kid(): string {
      return keys.signer.kid
    }

    // The library writes both once, to what they are.
    override set kid(_value: string) {}

    override get alg(): string {
      return 'ES256'
    }

    override set alg(_value: string) {}

    /** The public half. */
    override keyObject(): KeyObject {
      const key = keys.find(keys.signer.kid)
      if (key === undefined)
        throw new GatewayError('internal', 'Internal error', { cause: 'the signing key is unknown' })
      return KeyObject.from(key)
    }

    // The library remembers these of the first key; what it uses them for is the same for all.
    override get kty(): string {
      return 'EC'
    }

    override get crv(): string {
      return 'P-256'
    }

    override sign(data: Uint8Array): Promise<Uint8Array> {
      return keys.signBytes(data)
    }
  })()
}
