import { z } from 'zod'

/** The bench and its processes speak over Node's own channel; both sides read what comes with these. */
export const offerSchema = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  expects: z.string(),
  pid: z.number().optional(),
})

const setupSchema = z.object({
  upstreamOrigin: z.string(),
  token: z.string(),
  publicKey: z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string() }),
  issuer: z.string(),
  audience: z.string(),
  tools: z.number(),
})

const signerSchema = z.object({ privateKeyPem: z.string(), issuer: z.string(), audience: z.string() })

/** What the bench asks of a process, one question at a time. */
export const questionSchema = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('start'), module: z.string(), setup: setupSchema }),
  z.object({ ask: z.literal('usage'), pid: z.number().optional() }),
  z.object({
    ask: z.literal('load'),
    order: z.object({
      offer: offerSchema,
      connections: z.number(),
      seconds: z.number(),
      callsPerSecond: z.number().optional(),
      leadInSeconds: z.number().optional(),
      signer: signerSchema.optional(),
    }),
  }),
])

/** One question. */
export type Question = z.infer<typeof questionSchema>

/** The answer, or why there is none. */
export const toldSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), answer: z.unknown() }),
  z.object({ ok: z.literal(false), error: z.string() }),
])

/** CPU since the process began, and the memory it holds now. */
export const usageSchema = z.object({ cpuMicros: z.number(), rssBytes: z.number() })

/** The figures of `load.ts`. */
export const loadResultSchema = z.object({
  calls: z.number(),
  errors: z.number(),
  late: z.number(),
  elapsedMs: z.number(),
  p50: z.number(),
  p99: z.number(),
  cpuMicros: z.number(),
})
