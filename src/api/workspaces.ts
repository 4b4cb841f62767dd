import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import { may, requirePermission, type Standing } from '../accounts/permissions.ts'
import { GatewayError } from '../errors.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import { refuseRedirectedSecrets } from '../manage/redirected-secrets.ts'
import { unmetSecurity } from '../manage/unmet-security.ts'
import type { CheckChange, WorkspaceManager } from '../manage/workspace-manager.ts'
import { viewWorkspace } from '../manage/workspace-view.ts'
import { compareImports } from '../tools/changes.ts'
import { accessSettings } from '../workspaces/access-settings.ts'
import type { Workspace } from '../workspaces/workspace.ts'
import {
  changeWorkspaceBody,
  createWorkspaceBody,
  importAnswer,
  importBody,
  switchToolsBody,
  toolsAnswer,
  workspaceAnswer,
} from './contract.ts'
import { type Route, route } from './routes.ts'

/** The workspaces of an account, and no others. */
export type WorkspacesOf = (account: Account) => WorkspaceManager<OpenWorkspace>

/** Everything about workspaces in `/api`. */
export function workspaceRoutes(workspacesOf: WorkspacesOf): readonly Route[] {
  const one = { path: '/api/workspaces/{id}' } as const
  return [
    route({
      method: 'GET',
      path: '/api/workspaces',
      summary: 'List the workspaces',
      needs: 'read',
      status: 200,
      answer: workspaceAnswer.array(),
      handle: async ({ account, publicUrl }) =>
        workspacesOf(account)
          .list()
          .map((workspace) => viewWorkspace(workspace, publicUrl)),
    }),
    route({
      method: 'POST',
      path: '/api/workspaces',
      summary: 'Make a workspace',
      needs: 'workspaces',
      status: 201,
      body: createWorkspaceBody,
      answer: workspaceAnswer,
      handle: async ({ account, standing, reach, body, by, publicUrl }) => {
        if (opensDoors(body)) requirePermission(standing, 'doors')
        return viewWorkspace(await workspacesOf(account).create(body, { keptBy: 'api', reach }, by), publicUrl)
      },
    }),
    route({
      ...one,
      method: 'GET',
      summary: 'Show a workspace',
      needs: 'read',
      status: 200,
      answer: workspaceAnswer,
      handle: async ({ account, params, publicUrl }) =>
        viewWorkspace(workspacesOf(account).get(idOf(params)), publicUrl),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change a workspace; what is not mentioned stays',
      needs: 'workspaces',
      status: 200,
      body: changeWorkspaceBody,
      answer: workspaceAnswer,
      handle: async ({ account, standing, params, body, by, publicUrl }) => {
        const manager = workspacesOf(account)
        refuseFileKept(manager.get(idOf(params)))
        if (opensDoors(body)) requirePermission(standing, 'doors')
        return viewWorkspace(await manager.change(idOf(params), body, by, secretsStay(standing, body)), publicUrl)
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete a workspace with its settings; its records stay',
      needs: 'workspaces',
      status: 204,
      handle: async ({ account, params, by }) => {
        const manager = workspacesOf(account)
        refuseFileKept(manager.get(idOf(params)))
        await manager.delete(idOf(params), by)
      },
    }),
    ...toolRoutes(workspacesOf),
  ]
}

function toolRoutes(workspacesOf: WorkspacesOf): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/workspaces/{id}/import',
      summary: 'Import an API description: from a URL, as text, or from the last URL again',
      needs: 'workspaces',
      status: 200,
      body: importBody,
      answer: importAnswer,
      handle: async ({ account, standing, params, body, by, publicUrl }) => {
        const manager = workspacesOf(account)
        refuseFileKept(manager.get(idOf(params)))
        const before = manager.opened(idOf(params))?.imported
        const workspace = await manager.import(idOf(params), body, by, secretsStay(standing, {}))
        const { imported: after, catalog, credentials } = openedOf(manager, workspace.id)
        const changes = compareImports(before ?? { ...after, tools: [] }, after)
        return {
          workspace: viewWorkspace(workspace, publicUrl),
          added: changes.added,
          removed: changes.removed,
          changed: changes.changed.map((change) => change.name),
          setAside: after.setAside,
          warnings: unmetSecurity(catalog, credentials),
        }
      },
    }),
    route({
      method: 'GET',
      path: '/api/workspaces/{id}/tools',
      summary: 'List the tools of a workspace, those that are off too',
      needs: 'read',
      status: 200,
      answer: toolsAnswer,
      handle: async ({ account, params }) => viewTools(openedOf(workspacesOf(account), idOf(params))),
    }),
    route({
      method: 'PATCH',
      path: '/api/workspaces/{id}/tools',
      summary: 'Switch tools on or off by name',
      needs: 'workspaces',
      status: 200,
      body: switchToolsBody,
      answer: toolsAnswer,
      handle: async ({ account, params, body, by }) => {
        const manager = workspacesOf(account)
        refuseFileKept(manager.get(idOf(params)))
        // When it is its turn, or it would take back what another request switches meanwhile.
        await manager.change(idOf(params), () => ({ tools: switched(openedOf(manager, idOf(params)), body) }), by)
        return viewTools(openedOf(manager, idOf(params)))
      },
    }),
  ]
}

/** The names of the tools that are on once these are switched. */
function switched({ catalog }: OpenWorkspace, switches: Readonly<Record<string, boolean>>): string[] {
  // A map: a tool may be called `constructor`, which every object has.
  const wanted = new Map(Object.entries(switches))
  const known = new Set(catalog.all.map(({ tool }) => tool.name))
  const unknown = [...wanted.keys()].filter((name) => !known.has(name))
  if (unknown.length > 0) throw new GatewayError('invalid_request', `There is no tool ${unknown.join(', ')}.`)
  return catalog.all.filter(({ tool, enabled }) => wanted.get(tool.name) ?? enabled).map(({ tool }) => tool.name)
}

function viewTools({ catalog, credentials, misnamed }: OpenWorkspace): unknown {
  const tools = catalog.all.map(({ tool, enabled }) => ({
    name: tool.name,
    enabled,
    method: tool.operation.method,
    path: tool.operation.path,
    description: tool.description,
    warning: credentials.of(tool.operation.security).problem,
  }))
  return { tools, setAside: catalog.setAside, warnings: misnamed }
}

function openedOf(manager: WorkspaceManager<OpenWorkspace>, reference: string): OpenWorkspace {
  const open = manager.opened(reference)
  if (open !== undefined) return open
  throw new GatewayError('conflict', 'This workspace cannot be served as it is; the log says why.')
}

/** What the file says would come back at the next start, so it is changed there. */
function refuseFileKept({ keptBy }: Workspace): void {
  if (keptBy === 'api') return
  throw new GatewayError('conflict', 'This workspace is kept by the config file: change it there and restart.')
}

/** Who gets in and how often is for those who may say so: a developer’s workspaces have the gateway’s own settings. */
function opensDoors({
  auth,
  access,
  rateLimiting,
}: Pick<z.output<typeof changeWorkspaceBody>, 'auth' | 'access' | 'rateLimiting'>): boolean {
  if (auth !== undefined || rateLimiting !== undefined) return true
  return access !== undefined && !isDeepStrictEqual(access, NO_ACCESS)
}

/** Whoever may not say who gets in, may not say who gets the secrets either. */
function secretsStay(
  standing: Standing,
  given: Parameters<typeof refuseRedirectedSecrets>[2],
): CheckChange<OpenWorkspace> | undefined {
  return may(standing, 'doors') ? undefined : (after, before) => refuseRedirectedSecrets(after, before, given)
}

const NO_ACCESS = accessSettings.parse({})

function idOf(params: Readonly<Record<string, string>>): string {
  return params['id'] ?? ''
}
