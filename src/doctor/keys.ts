import { GatewayError } from '../errors.ts'
import { type JwtFailure, quoted } from '../identify/jwt-failure.ts'
import { hasValidSignature } from '../identify/jwt-verifier.ts'
import { KeySet } from '../identify/key-set.ts'
import { parseKeySetUrl } from '../identify/key-set-url.ts'
import type { VerificationKey } from '../identify/static-key.ts'
import { member, type UnverifiedToken } from '../identify/unverified-token.ts'
import { readUsableKeys } from '../identify/usable-keys.ts'
import { causeOfJwtFailure } from './jwt-cause.ts'
import { ask, type World } from './probe.ts'
import { type Check, failed, passed } from './report.ts'
import { shown } from './urls.ts'

/** Whether a key set can be fetched and has keys that signatures are checked with. */
export async function checkKeySet(world: World, address: string): Promise<Check> {
  const url = keySetUrl(world, address)
  if (url instanceof GatewayError) return failed('keys', 'keys_unreachable', url.message)
  const answer = await ask(world, url, { headers: { accept: 'application/jwk-set+json, application/json' } })
  const where = `It was looked for at ${shown(url)}.`
  if (!answer.ok) return failed('keys', 'keys_unreachable', `${where} ${answer.detail}`)
  if (answer.status !== 200) return failed('keys', 'keys_unreachable', `${where} The answer was ${answer.status}.`)
  const usable = await readUsableKeys(answer.text)
  if (usable === undefined) return failed('keys', 'keys_unreachable', `${where} The answer is not a key set.`)
  if (usable.keys.length === 0) return failed('keys', 'keys_unusable', `${shown(url)} has ${usable.total} keys.`)
  return passed('keys', `${shown(url)} has ${usable.keys.length} keys that can be used.`)
}

/** Whether a key of the set signed the token, by the same rules as the gateway's own verifier. */
export async function checkSignature(world: World, address: string, token: UnverifiedToken): Promise<Check> {
  const [alg, kid] = [member(token.header, 'alg'), member(token.header, 'kid')]
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) {
    return failed('signature', 'token_malformed')
  }
  const keySet = new KeySet({ ...world, url: address })
  const found = await keySet.find({ alg, kid, allowMissingKeyId: false })
  if (!found.ok) return refusedKey(found, token)
  const isValid = await fits(token, found.key, alg)
  const seen = `The key is ${quoted(kid)} of ${shown(new URL(address))}.`
  return isValid ? passed('signature', `The signature is good. ${seen}`) : failed('signature', 'signature_wrong', seen)
}

/** What a stranger's header makes jose give up on is no signature that fits. */
async function fits({ token, header }: UnverifiedToken, key: VerificationKey, alg: string): Promise<boolean> {
  if (member(header, 'crit') !== undefined) return false
  return hasValidSignature(token, key, alg).catch(() => false)
}

function refusedKey(failure: JwtFailure, token: UnverifiedToken): Check {
  return failed('signature', causeOfJwtFailure(failure.kind, token), `${failure.detail}.`)
}

function keySetUrl({ reach }: World, address: string): URL | GatewayError {
  try {
    return parseKeySetUrl(address, reach)
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}
