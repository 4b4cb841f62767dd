import * as z from 'zod'
import { GatewayError } from '../errors.ts'
import { trustedProxies } from '../http/client-address.ts'

/** What `true` means: a proxy on this machine or in its private network, as of most set-ups with containers. */
const USUAL = ['loopback', 'private']

const names = z.union([
  z.boolean(),
  z.string().transform((text) => {
    const word = text.trim().toLowerCase()
    if (word === 'true' || word === 'false') return word === 'true'
    return text.split(',').map((name) => name.trim())
  }),
  z.array(z.string()),
])

/**
 * Whose `X-Forwarded-*` counts (PRODUCT.md, 12); an empty list: nobody’s. `NODE_ENV` has no say, although seed 003’s guide
 * lets it (FEATURES.md, C16).
 */
export const trustProxySettings = names
  .transform((given): readonly string[] => {
    if (typeof given === 'boolean') return given ? USUAL : []
    return given
  })
  .superRefine((given, context) => {
    try {
      trustedProxies(given)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const hops = given.some((name) => /^\d+$/.test(name))
        ? ' A number of hops cannot be checked: write the addresses of the proxies.'
        : ''
      context.addIssue({ code: 'custom', message: error.message.replace(/^trustProxy: /, '') + hops })
    }
  })
