import type { Team } from '../manage/team.ts'
import type { InvitationRow } from '../store/schema.ts'
import type { MemberView } from '../store/store.ts'
import {
  changePersonBody,
  createPersonBody,
  invitationAnswer,
  inviteBody,
  newInvitationAnswer,
  personAnswer,
} from './people-bodies.ts'
import { type Route, route } from './routes.ts'

/** The people of an account in `/api`. */
export function peopleRoutes(team: Team): readonly Route[] {
  const one = { path: '/api/people/{id}' } as const
  return [
    route({
      method: 'GET',
      path: '/api/people',
      summary: 'List the people of the account',
      needs: 'read',
      status: 200,
      answer: personAnswer.array(),
      handle: async ({ account }) => (await team.list(account)).map(viewPerson),
    }),
    route({
      method: 'POST',
      path: '/api/people',
      summary: 'Make a person with a password; everybody but the operator invites',
      needs: 'operator',
      status: 201,
      body: createPersonBody,
      answer: personAnswer,
      handle: async ({ body, ...acting }) => viewPerson(await team.create(body, acting)),
    }),
    route({
      ...one,
      method: 'GET',
      summary: 'Show a person',
      needs: 'read',
      status: 200,
      answer: personAnswer,
      handle: async ({ account, params }) => viewPerson(await team.get(account, params['id'] ?? '')),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Give a person another role, or disable and enable them in this account',
      needs: 'people',
      status: 200,
      body: changePersonBody,
      answer: personAnswer,
      handle: async ({ params, body, ...acting }) => viewPerson(await team.update(params['id'] ?? '', body, acting)),
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Remove a person from the account: in force for the next call',
      needs: 'people',
      status: 204,
      handle: async ({ params, ...acting }) => team.remove(params['id'] ?? '', acting),
    }),
    route({
      method: 'POST',
      path: '/api/people/{id}/password-reset',
      summary: 'Issue a one-time code with which a person sets a new password',
      needs: 'operator',
      status: 201,
      answer: newInvitationAnswer,
      handle: async ({ params, ...acting }) => {
        const { code, ...row } = await team.resetPassword(params['id'] ?? '', acting)
        return { ...viewInvitation(row), code }
      },
    }),
    ...invitationRoutes(team),
  ]
}

function invitationRoutes(team: Team): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/invitations',
      summary: 'List the invitations that wait',
      needs: 'people',
      status: 200,
      answer: invitationAnswer.array(),
      handle: async ({ account }) => (await team.invitations(account)).map(viewInvitation),
    }),
    route({
      method: 'POST',
      path: '/api/invitations',
      summary: 'Invite somebody; the one-time code is in this answer and in no other',
      needs: 'people',
      status: 201,
      body: inviteBody,
      answer: newInvitationAnswer,
      handle: async ({ body, ...acting }) => {
        const { code, ...row } = await team.invite(body, acting)
        return { ...viewInvitation(row), code }
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/invitations/{id}',
      summary: 'Withdraw an invitation',
      needs: 'people',
      status: 204,
      handle: async ({ params, ...acting }) => team.withdraw(params['id'] ?? '', acting),
    }),
  ]
}

function viewPerson({ person_id, email, name, role, disabled_at, joined_at }: MemberView) {
  const joinedAt = new Date(joined_at).toISOString()
  return { id: person_id, email, name, role, disabled: disabled_at !== null, joinedAt }
}

function viewInvitation({ id, email, role, person_id, created_at, expires_at }: InvitationRow) {
  return {
    ...{ id, email, role, purpose: person_id === null ? 'join' : 'password' },
    createdAt: new Date(created_at).toISOString(),
    expiresAt: new Date(expires_at).toISOString(),
  }
}
