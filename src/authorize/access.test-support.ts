import fc from 'fast-check'
import { anonymous, type Caller, localCaller } from '../identify/caller.ts'
import type { Tool } from '../tools/tool.ts'
import { accessSettings } from '../workspaces/access-settings.ts'

/** A tool of a document, as far as access is concerned. */
export function toolNamed(name: string, marks: Pick<Tool, 'categories' | 'isMarkedPublic'> = {}): Tool {
  return {
    name,
    description: '',
    inputSchema: { type: 'object' },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    operation: { method: 'GET', path: `/${name}`, server: undefined, parameters: [], body: undefined },
    ...marks,
  }
}

/** A caller with these scopes and claims. */
export function callerWith(scopes: readonly string[], claims: Readonly<Record<string, unknown>> = {}): Caller {
  return {
    ...anonymous,
    kind: 'jwt',
    issuer: 'https://issuer.example',
    subject: 'ada',
    scopes: new Set(scopes),
    claims,
  }
}

const TOOL_NAMES = ['ping', 'billing_pay', 'billing_list', 'users_list', 'users_delete']
const SCOPES = ['a', 'b', 'c', 'admin']
const some = (items: readonly string[]) => fc.uniqueArray(fc.constantFrom(...items), { maxLength: 3 })

/** Tools of any marks. */
export const anyTools = fc.tuple(
  ...TOOL_NAMES.map((name) =>
    fc
      .record({ categories: some(['open', 'money']), isMarkedPublic: fc.boolean() })
      .map((marks) => toolNamed(name, marks)),
  ),
)

/** Any settings, with rules that need no arguments. */
export const anyAccess = fc
  .record(
    {
      requireAuthForToolsList: fc.boolean(),
      requireAuthForToolsCall: fc.boolean(),
      publicTools: fc.oneof(fc.constant('default' as const), some(TOOL_NAMES)),
      publicCategories: some(['open', 'money']),
      namespaceWhitelist: some(['billing', 'users']),
      denyPublicTools: some(TOOL_NAMES),
      toolScopes: fc.dictionary(
        fc.constantFrom(...TOOL_NAMES),
        fc.oneof(some(SCOPES), fc.record({ allOf: some(SCOPES), anyOf: some(SCOPES) })),
        { maxKeys: 3 },
      ),
      adminTools: some(TOOL_NAMES),
      rules: fc.array(
        fc.record({
          effect: fc.constantFrom('allow', 'deny'),
          tools: fc.uniqueArray(fc.constantFrom(...TOOL_NAMES, '*', 'users_*'), { minLength: 1, maxLength: 2 }),
          when: fc.constantFrom('true', 'caller.claims.tier == "gold"', '"a" in caller.scopes', 'has(caller.claims.x)'),
        }),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: [] },
  )
  .map((settings) => accessSettings.parse(settings))

/** Anybody. */
export const anyCaller: fc.Arbitrary<Caller> = fc.oneof(
  fc.constant(anonymous),
  fc.constant(localCaller),
  fc
    .tuple(some(SCOPES), fc.constantFrom({}, { tier: 'gold' }, { tier: 'tin', x: 1 }))
    .map(([scopes, claims]) => callerWith(scopes, claims)),
)
