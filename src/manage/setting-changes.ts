import { sha256 } from '../crypto/hash.ts'
import type { AuditAction, AuditEvent, Origin, SettingChange, SettingValue } from '../records/audit-event.ts'
import { redactText } from '../records/redact.ts'
import type { ToolsSettings } from '../workspaces/settings.ts'
import type { Workspace } from '../workspaces/workspace.ts'
import { viewWorkspace } from './workspace-view.ts'

const VALUE_LENGTH_MAX = 200
const NAMES_MAX = 50

/** The event of a change to a workspace; undefined stands for none before or none after. */
export function workspaceEvent(
  action: AuditAction,
  by: Origin,
  { before, after }: { readonly before: Workspace | undefined; readonly after: Workspace | undefined },
): AuditEvent {
  const named = after ?? before
  const target = { kind: 'workspace', id: named?.id, label: named?.slug } as const
  return { action, by, accountId: named?.accountId, target, changes: settingChanges(before, after) }
}

/** What `before` and `after` differ in. Values that `/api` does not show are not shown here either: they are only changed. */
export function settingChanges(before: Workspace | undefined, after: Workspace | undefined): SettingChange[] {
  const [kept, given] = [leavesOf(keptOf(before)), leavesOf(keptOf(after))]
  const [shownBefore, shownAfter] = [leavesOf(shownOf(before)), leavesOf(shownOf(after))]
  const changes: SettingChange[] = []
  for (const setting of new Set([...kept.keys(), ...given.keys()])) {
    if (kept.get(setting) === given.get(setting)) continue
    const isHidden =
      (kept.has(setting) && !shownBefore.has(setting)) || (given.has(setting) && !shownAfter.has(setting))
    const from = shownBefore.get(setting) ?? null
    const to = shownAfter.get(setting) ?? null
    changes.push(isHidden || from === to ? { setting, isChanged: true } : { setting, from: shown(from), to: shown(to) })
  }
  const tools = toolChange(before?.tools, after?.tools)
  return tools === undefined ? changes : [...changes, tools]
}

/** Everything that can be set, as it is, tools apart. */
function keptOf(workspace: Workspace | undefined): unknown {
  if (workspace === undefined) return {}
  const { slug, name, inbound, access, rateLimiting, upstream, params, document } = workspace
  return { slug, name, auth: inbound, access, rateLimiting, upstream, params, document: documentOf(document) }
}

/** The same as `/api` shows it, under the same names. */
function shownOf(workspace: Workspace | undefined): unknown {
  if (workspace === undefined) return {}
  const { slug, name, auth, access, rateLimiting, upstream, params, document } = viewWorkspace(workspace, '')
  const { sha256: hash } = documentOf(workspace.document) ?? {}
  const source = document === null ? undefined : { url: document.url ?? undefined, sha256: hash }
  return { slug, name, auth, access, rateLimiting, upstream, params, document: source }
}

function documentOf(document: Workspace['document']) {
  return document === undefined ? undefined : { url: document.url, sha256: sha256(document.text) }
}

/** Path to value, for every value in it that is neither a list nor an object. */
function leavesOf(
  value: unknown,
  path = '',
  leaves = new Map<string, SettingValue>(),
): ReadonlyMap<string, SettingValue> {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') leaves.set(path, value)
  else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) leavesOf(item, path === '' ? name : `${path}.${name}`, leaves)
  }
  return leaves
}

function toolChange(before: ToolsSettings | undefined, after: ToolsSettings | undefined): SettingChange | undefined {
  if (JSON.stringify(before) === JSON.stringify(after)) return undefined
  const [from, to] = [before ?? [], after ?? []]
  if (typeof from === 'string' || typeof to === 'string') {
    return { setting: 'tools', from: choiceOf(before), to: choiceOf(after) }
  }
  const only = (names: readonly string[], others: readonly string[]) => {
    const taken = new Set(others)
    return names.filter((name) => !taken.has(name)).slice(0, NAMES_MAX)
  }
  return { setting: 'tools', added: only(to, from), removed: only(from, to) }
}

function choiceOf(tools: ToolsSettings | undefined): SettingValue {
  if (tools === undefined || typeof tools === 'string') return tools ?? null
  return shown(tools.join(', '))
}

function shown(value: SettingValue): SettingValue {
  return typeof value === 'string' ? redactText(value, VALUE_LENGTH_MAX) : value
}
