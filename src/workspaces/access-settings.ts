import * as z from 'zod'

/** What a person may set on who may call which tool. One shape for `gatehouse.yaml`, the CLI, `/api` and `protect`. */
const name = z.string().min(1).max(200)
const names = z.array(name).max(10_000)

/** Scopes of one tool: all of `allOf`, and one of `anyOf`. A plain list is `allOf`. */
export const toolScopeSettings = z.union([
  z.array(name).transform((allOf): { allOf: string[]; anyOf: string[] } => ({ allOf, anyOf: [] })),
  z.strictObject({ allOf: z.array(name).default([]), anyOf: z.array(name).default([]) }),
])

export const ruleSettings = z.strictObject({
  effect: z.enum(['allow', 'deny']),
  tools: z
    .array(name)
    .min(1)
    .max(1000)
    .default(['*'])
    .describe('Names of tools; `*` stands for any characters. Default: every tool.'),
  when: z
    .string()
    .min(1)
    .max(1000)
    .describe('A condition in CEL over `caller.subject`, `.issuer`, `.scopes`, `.claims`, `tool` and `args`.'),
})

const always = (instead: string) => z.literal(true, { error: `cannot be false: ${instead}` }).default(true)

/** Seed 003’s switch. What it turns on, nothing turns off: a configuration that says so works, one that says false is told why. */
export const authEnforcementSettings = z.strictObject({
  enabled: always('write auth: { authType: none } if everybody may call'),
  requireAuth: always('write auth: { authType: none } if everybody may call'),
  requireValidSession: always('oauth.requireValidSession says what signing out ends'),
})

export const accessSettings = z.strictObject({
  requireAuthForToolsList: z
    .boolean()
    .default(true)
    .describe('False: everybody sees the tools that there are, but those of `adminTools`. Calls are another matter.'),
  requireAuthForToolsCall: z
    .boolean()
    .default(true)
    .describe('False: every tool is public but those with scopes, of `adminTools` and of `denyPublicTools`.'),
  authEnforcement: authEnforcementSettings
    .optional()
    .describe(
      'As in other gateways’ configurations: `enabled`, `requireAuth`, `requireValidSession`. Always true here.',
    ),
  publicTools: z
    .union([z.literal('default'), names])
    .default([])
    .describe(
      'Tools for everybody, also without a token. `default`: those whose operation says `x-public: true` in the API description.',
    ),
  publicCategories: names.default([]).describe('Tags of the API description whose tools are public.'),
  namespaceWhitelist: names
    .default([])
    .describe(
      'Only tools of these namespaces can be public: `billing` is of `billing_pay`, `billing.pay`. Empty: of any.',
    ),
  denyPublicTools: names.default([]).describe('Never public, whatever else is said.'),
  toolScopes: z
    .record(name, toolScopeSettings)
    .default({})
    .describe(
      'Scopes that a tool needs besides `requiredScopes`: a list (all of them), or `allOf` and `anyOf`. Such a tool is never public.',
    ),
  adminTools: names.default([]).describe('Tools that need `adminScope` too. Never public.'),
  adminScope: name.default('admin').describe('The scope that makes an administrator.'),
  rules: z
    .array(ruleSettings)
    .max(100)
    .default([])
    .describe(
      'Conditions on claims and arguments. They narrow: a `deny` that holds denies, of the `allow`s one must hold.',
    ),
})

const { shape } = accessSettings

/** A change of `accessSettings`: no defaults, so that what is not mentioned stays; what is mentioned is replaced whole. */
export const accessChange = z.strictObject({
  requireAuthForToolsList: shape.requireAuthForToolsList.unwrap().optional(),
  requireAuthForToolsCall: shape.requireAuthForToolsCall.unwrap().optional(),
  authEnforcement: shape.authEnforcement,
  publicTools: shape.publicTools.unwrap().optional(),
  publicCategories: shape.publicCategories.unwrap().optional(),
  namespaceWhitelist: shape.namespaceWhitelist.unwrap().optional(),
  denyPublicTools: shape.denyPublicTools.unwrap().optional(),
  toolScopes: shape.toolScopes.unwrap().optional(),
  adminTools: shape.adminTools.unwrap().optional(),
  adminScope: shape.adminScope.unwrap().optional(),
  rules: shape.rules.unwrap().optional(),
})

export type ToolScopeSettings = z.output<typeof toolScopeSettings>
export type RuleSettings = z.output<typeof ruleSettings>
export type AccessSettings = z.output<typeof accessSettings>
export type AccessChange = z.output<typeof accessChange>

/** Nothing is public, nothing needs more than to be signed in. */
export const GUARDED: AccessSettings = accessSettings.parse({})

/** The settings after a change. */
export function changedAccess(before: AccessSettings, change: AccessChange): AccessSettings {
  const given = Object.entries(change).filter(([, value]) => value !== undefined)
  return accessSettings.parse({ ...before, ...Object.fromEntries(given) })
}
