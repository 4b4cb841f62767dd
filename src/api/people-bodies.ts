import * as z from 'zod'
import { ROLES } from '../accounts/person.ts'

/** The bodies of `/api` about accounts, people and signing in. */
const email = z.email().max(254).describe('In any case.')
const name = z.string().trim().min(1).max(100)
const role = z.enum(ROLES)
/** Longer than any that is accepted: the rules are told by whoever keeps it. */
const password = z.string().min(1).max(4096)

export const accountSlug = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'a slug has lower-case letters, digits and single hyphens')

export const createAccountBody = z
  .strictObject({
    name,
    slug: accountSlug.optional().describe('Short name, which never changes. Default: made from the name.'),
  })
  .meta({ id: 'NewAccount' })

export const renameAccountBody = z.strictObject({ name }).meta({ id: 'AccountChange' })

export const accountAnswer = z
  .object({ id: z.string(), slug: z.string(), name: z.string(), createdAt: z.string() })
  .meta({ id: 'Account' })

export const createPersonBody = z.strictObject({ email, name, role, password }).meta({ id: 'NewPerson' })

export const changePersonBody = z
  .strictObject({
    role: role.optional(),
    disabled: z.boolean().optional().describe('True: this account lets them in no more.'),
  })
  .meta({ id: 'PersonChange' })

export const personAnswer = z
  .object({ id: z.string(), email: z.string(), name: z.string(), role, disabled: z.boolean(), joinedAt: z.string() })
  .meta({ id: 'Person' })

export const inviteBody = z.strictObject({ email, role }).meta({ id: 'NewInvitation' })

export const invitationAnswer = z
  .object({
    id: z.string(),
    email: z.string(),
    role,
    purpose: z.enum(['join', 'password']).describe('To become a member, or to set a new password.'),
    createdAt: z.string(),
    expiresAt: z.string(),
  })
  .meta({ id: 'Invitation' })

export const newInvitationAnswer = invitationAnswer
  .extend({ code: z.string().describe('To be handed to that person: shown here, once.') })
  .meta({ id: 'IssuedInvitation' })

const code = z.string().min(1).max(200)

export const acceptBody = z
  .strictObject({
    code,
    name: name.optional().describe('Of a new person. Default: the e-mail.'),
    password: password.describe('A new person’s; of one who has signed in here before, the one they have.'),
  })
  .meta({ id: 'Acceptance' })

export const firstRunBody = z.strictObject({ code, email, name, password }).meta({ id: 'FirstRun' })

export const emailAnswer = z.object({ email: z.string() }).meta({ id: 'Welcome' })

export const signInBody = z
  .strictObject({
    email: z.string().min(1).max(254),
    password,
    cookie: z
      .boolean()
      .default(false)
      .describe('True: the token comes as a cookie that no script reads, not in the answer.'),
  })
  .meta({ id: 'SignIn' })

export const signInAnswer = z
  .object({
    token: z.string().nullable().describe('For `Authorization: Bearer`: shown here, once.'),
    csrf: z.string().nullable().describe('With a cookie: what `X-Gatehouse-CSRF` has to say on anything but GET.'),
    expiresAt: z.string().describe('Earlier after two hours without use.'),
  })
  .meta({ id: 'SignedIn' })

export const meAnswer = z
  .object({
    kind: z.enum(['operator', 'person']),
    id: z.string().nullable(),
    email: z.string().nullable(),
    name: z.string().nullable(),
    accounts: z.array(
      z.object({ id: z.string(), slug: z.string(), name: z.string(), role: z.enum([...ROLES, 'operator']) }),
    ),
    csrf: z.string().nullable(),
    expiresAt: z.string().nullable(),
  })
  .meta({ id: 'Me' })

export const changePasswordBody = z.strictObject({ current: password, password }).meta({ id: 'PasswordChange' })
