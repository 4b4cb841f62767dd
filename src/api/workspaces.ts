import { GatewayError } from '../errors.ts'
import type { OpenWorkspace } from '../manage/open-workspace.ts'
import { unmetSecurity } from '../manage/unmet-security.ts'
import type { WorkspaceManager } from '../manage/workspace-manager.ts'
import { viewWorkspace, type WorkspaceView } from '../manage/workspace-view.ts'
import { compareImports } from '../tools/changes.ts'
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

export interface WorkspaceRoutesOptions {
  readonly manager: WorkspaceManager<OpenWorkspace>
  readonly publicUrl: () => string
}

/** Everything about workspaces in `/api`. The admin credential is the operator's, so private addresses may be named. */
export function workspaceRoutes({ manager, publicUrl }: WorkspaceRoutesOptions): readonly Route[] {
  const view = (reference: string): WorkspaceView => viewWorkspace(manager.get(reference), publicUrl())
  const one = { path: '/api/workspaces/{id}' } as const
  return [
    route({
      method: 'GET',
      path: '/api/workspaces',
      summary: 'List the workspaces',
      status: 200,
      answer: workspaceAnswer.array(),
      handle: async () => manager.list().map((workspace) => viewWorkspace(workspace, publicUrl())),
    }),
    route({
      method: 'POST',
      path: '/api/workspaces',
      summary: 'Make a workspace',
      status: 201,
      body: createWorkspaceBody,
      answer: workspaceAnswer,
      handle: async ({ body, by }) => view((await manager.create(body, { keptBy: 'api', reach: 'operator' }, by)).id),
    }),
    route({
      ...one,
      method: 'GET',
      summary: 'Show a workspace',
      status: 200,
      answer: workspaceAnswer,
      handle: async ({ params }) => view(idOf(params)),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change a workspace; what is not mentioned stays',
      status: 200,
      body: changeWorkspaceBody,
      answer: workspaceAnswer,
      handle: async ({ params, body, by }) => {
        refuseFileKept(manager, idOf(params))
        return view((await manager.change(idOf(params), body, by)).id)
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete a workspace with its settings; its records stay',
      status: 204,
      handle: async ({ params, by }) => {
        refuseFileKept(manager, idOf(params))
        await manager.delete(idOf(params), by)
      },
    }),
    ...toolRoutes({ manager, publicUrl }),
  ]
}

function toolRoutes({ manager, publicUrl }: WorkspaceRoutesOptions): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/workspaces/{id}/import',
      summary: 'Import an API description: from a URL, as text, or from the last URL again',
      status: 200,
      body: importBody,
      answer: importAnswer,
      handle: async ({ params, body, by }) => {
        refuseFileKept(manager, idOf(params))
        const before = manager.opened(idOf(params))?.imported
        const workspace = await manager.import(idOf(params), body, by)
        const { imported: after, catalog, credentials } = openedOf(manager, workspace.id)
        const changes = compareImports(before ?? { ...after, tools: [] }, after)
        return {
          workspace: viewWorkspace(workspace, publicUrl()),
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
      status: 200,
      answer: toolsAnswer,
      handle: async ({ params }) => viewTools(openedOf(manager, idOf(params))),
    }),
    route({
      method: 'PATCH',
      path: '/api/workspaces/{id}/tools',
      summary: 'Switch tools on or off by name',
      status: 200,
      body: switchToolsBody,
      answer: toolsAnswer,
      handle: async ({ params, body, by }) => {
        refuseFileKept(manager, idOf(params))
        const { catalog } = openedOf(manager, idOf(params))
        const known = new Set(catalog.all.map(({ tool }) => tool.name))
        const unknown = Object.keys(body).filter((name) => !known.has(name))
        if (unknown.length > 0) throw new GatewayError('invalid_request', `There is no tool ${unknown.join(', ')}.`)
        const tools = catalog.all.filter(({ tool, enabled }) => body[tool.name] ?? enabled).map(({ tool }) => tool.name)
        await manager.change(idOf(params), { tools }, by)
        return viewTools(openedOf(manager, idOf(params)))
      },
    }),
  ]
}

function viewTools({ catalog, credentials }: OpenWorkspace): unknown {
  const tools = catalog.all.map(({ tool, enabled }) => ({
    name: tool.name,
    enabled,
    method: tool.operation.method,
    path: tool.operation.path,
    description: tool.description,
    warning: credentials.of(tool.operation.security).problem,
  }))
  return { tools, setAside: catalog.setAside }
}

function openedOf(manager: WorkspaceManager<OpenWorkspace>, reference: string): OpenWorkspace {
  const open = manager.opened(reference)
  if (open !== undefined) return open
  throw new GatewayError('conflict', 'This workspace cannot be served as it is; the log says why.')
}

/** What the file says would come back at the next start, so it is changed there. */
function refuseFileKept(manager: WorkspaceManager<OpenWorkspace>, reference: string): void {
  if (manager.get(reference).keptBy === 'api') return
  throw new GatewayError('conflict', 'This workspace is kept by the config file: change it there and restart.')
}

function idOf(params: Readonly<Record<string, string>>): string {
  return params['id'] ?? ''
}
