import * as z from 'zod'
import { LIFETIME_SHAPE, lifetimeSeconds } from '../tokens/lifetime.ts'

/** The bodies of `/api` about tokens, session tokens, API keys and signing keys. */
const lifetime = z
  .string()
  .regex(LIFETIME_SHAPE, 'give a lifetime as 15m, 1h, 30d or never')
  .refine((text) => lifetimeSeconds(text) !== undefined, 'ten years at most, or never')

/** RFC 6749 §3.3: a scope is printable ASCII without space, quote and backslash. */
const scope = z
  .string()
  .max(200)
  .regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'a scope has no spaces, quotes or backslashes')

const common = {
  subject: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Who calls with it (`sub`): nobody who signs in here, and no other credential. Default: the credential itself, by its id.',
    ),
  scopes: z.array(scope).max(100).default([]),
  workspaces: z.array(z.string()).max(1000).default([]).describe('Those that it opens: ids or slugs.'),
}
const words = z.string().trim().min(1).max(200)

export const createTokenBody = z
  .strictObject({
    description: words.describe('What it is for.'),
    expires: lifetime.default('30d').describe('After how long it ends: `1h`, `30d`, or `never`.'),
    ...common,
  })
  .meta({ id: 'NewToken' })

export const createKeyBody = z
  .strictObject({
    name: words,
    expires: lifetime.default('never').describe('After how long it ends: `1h`, `30d`, or `never`.'),
    ...common,
    isDefault: z.boolean().default(false).describe('It becomes the default key of those workspaces.'),
  })
  .meta({ id: 'NewKey' })

const SESSION_SECONDS_MAX = 3600

export const createSessionBody = z
  .strictObject({
    subject: words.describe('The user that the session is for.'),
    expires: lifetime
      .refine((text) => (lifetimeSeconds(text) ?? 0) <= SESSION_SECONDS_MAX, 'an hour at most')
      .default('15m')
      .describe('After how long it ends, an hour at most.'),
    scopes: common.scopes,
    workspaces: z.array(z.string()).min(1).max(1000).describe('Those that it opens: ids or slugs.'),
  })
  .meta({ id: 'NewSession' })

export const issuedQuery = z.strictObject({
  workspace: z.string().optional().describe('Only those that open this one: id or slug.'),
})

export const associateBody = z
  .strictObject({ workspace: z.string().describe('Id or slug.'), isDefault: z.boolean().default(false) })
  .meta({ id: 'Association' })

export const issuedAnswer = z
  .object({
    id: z.string().describe('A token’s `jti`.'),
    kind: z.enum(['token', 'session', 'key']),
    description: z.string(),
    status: z.enum(['Active', 'Inactive']),
    reason: z.enum(['expired', 'revoked']).nullable(),
    preview: z.string().describe('The value cut down, to tell one from another.'),
    subject: z.string(),
    scopes: z.array(z.string()),
    workspaces: z.array(z.object({ id: z.string(), slug: z.string(), url: z.string(), isDefault: z.boolean() })),
    createdAt: z.string(),
    expiresAt: z.string().nullable(),
    lastUsedAt: z.string().nullable(),
    revokedAt: z.string().nullable(),
    usage: z.object({ curl: z.string(), client: z.unknown() }).nullable(),
  })
  .meta({ id: 'Issued' })

export const newlyIssuedAnswer = issuedAnswer
  .extend({ value: z.string().describe('The credential itself: shown here, once.') })
  .meta({ id: 'NewlyIssued' })

export const signingKeyAnswer = z
  .object({ kid: z.string(), createdAt: z.string(), retiredAt: z.string().nullable() })
  .meta({ id: 'SigningKey' })
