import * as z from 'zod'
import { GatewayError } from '../errors.ts'
import type { Team } from '../manage/team.ts'
import type { ConnectedApp, ConnectedApps } from '../oauth/connected-apps.ts'
import type { ApiCaller } from './authenticate.ts'
import { type Route, route, signedInRoute } from './routes.ts'

export interface ConnectedAppRoutesOptions {
  readonly connectedApps: ConnectedApps
  readonly team: Pick<Team, 'get'>
}

const connectedAppAnswer = z
  .object({
    id: z.string(),
    clientId: z.string(),
    name: z.string().describe('What the app calls itself.'),
    redirectUri: z.string(),
    workspace: z.object({ id: z.string(), name: z.string() }).nullable().describe('Null: it is gone.'),
    scopes: z.array(z.string()),
    allowedAt: z.string(),
  })
  .meta({ id: 'ConnectedApp' })

/** The apps that people have let use workspaces, in `/api`: one's own, and those of the people of an account. */
export function connectedAppRoutes({ connectedApps, team }: ConnectedAppRoutesOptions): readonly Route[] {
  return [...ownRoutes(connectedApps), ...teamRoutes(connectedApps, team)]
}

function ownRoutes(connectedApps: ConnectedApps): readonly Route[] {
  return [
    signedInRoute({
      method: 'GET',
      path: '/api/connected-apps',
      summary: 'List the apps that I have connected',
      needs: 'sign_in',
      status: 200,
      answer: connectedAppAnswer.array(),
      handle: async ({ caller }) => (await connectedApps.list(idOf(caller))).map(viewApp),
    }),
    signedInRoute({
      method: 'DELETE',
      path: '/api/connected-apps',
      summary: 'End all of my connected apps and sign my browsers out there: in force for the next call',
      needs: 'sign_in',
      status: 204,
      handle: ({ caller, by }) => connectedApps.endAll(idOf(caller), by),
    }),
    signedInRoute({
      method: 'DELETE',
      path: '/api/connected-apps/{id}',
      summary: 'End one of my connected apps: in force for the next call',
      needs: 'sign_in',
      status: 204,
      handle: ({ caller, params, by }) => connectedApps.end(idOf(caller), params['id'] ?? '', by),
    }),
  ]
}

function teamRoutes(connectedApps: ConnectedApps, team: Pick<Team, 'get'>): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/people/{person}/connected-apps',
      summary: 'List the apps that a person has connected to workspaces of this account',
      needs: 'people',
      status: 200,
      answer: connectedAppAnswer.array(),
      handle: async ({ account, params }) => {
        const member = await team.get(account, params['person'] ?? '')
        return (await connectedApps.list(member.person_id, account.id)).map(viewApp)
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/people/{person}/connected-apps',
      summary: 'End all apps that a person has connected to workspaces of this account: in force for the next call',
      needs: 'people',
      status: 204,
      handle: async ({ account, params, by }) => {
        const member = await team.get(account, params['person'] ?? '')
        await connectedApps.endAll(member.person_id, by, account.id)
      },
    }),
  ]
}

function idOf(caller: ApiCaller): string {
  if (caller.kind === 'person') return caller.person.id
  throw new GatewayError('invalid_request', 'This is for people who have signed in; the admin key connects no apps.')
}

function viewApp({ workspace, allowedAt, ...app }: ConnectedApp) {
  return {
    ...app,
    workspace: workspace === undefined ? null : { id: workspace.id, name: workspace.name },
    allowedAt: new Date(allowedAt).toISOString(),
  }
}
