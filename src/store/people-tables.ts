import type { Kysely } from 'kysely'
import { GatewayError } from '../errors.ts'
import { inTransaction } from './issued-table.ts'
import type { Tables } from './schema.ts'
import type { AccountTable, ChangeTables, InvitationTable, MemberTable, PersonTable, SignInTable } from './store.ts'

/** Accounts in this database, or in a transaction on it. */
export function accountTable(database: Kysely<Tables>): AccountTable {
  return {
    list: () => database.selectFrom('accounts').selectAll().orderBy('created_at').orderBy('id').execute(),
    async insert(row) {
      await database.insertInto('accounts').values(row).execute()
    },
    async rename(id, name) {
      const { numUpdatedRows } = await database
        .updateTable('accounts')
        .set({ name })
        .where('id', '=', id)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    delete: (id) =>
      inTransaction(database, async (transaction) => {
        const workspace = transaction.selectFrom('workspaces').select('id').where('account_id', '=', id).limit(1)
        if ((await workspace.executeTakeFirst()) !== undefined) {
          throw new GatewayError('conflict', 'The account has workspaces: delete them first.')
        }
        await transaction.deleteFrom('issued').where('account_id', '=', id).execute()
        await transaction.deleteFrom('members').where('account_id', '=', id).execute()
        const { numDeletedRows } = await transaction.deleteFrom('accounts').where('id', '=', id).executeTakeFirst()
        return numDeletedRows > 0n
      }),
  }
}

/** People, their memberships, sign-ins and invitations. */
export function peopleTables(
  database: Kysely<Tables>,
): Pick<ChangeTables, 'people' | 'members' | 'signIns' | 'invitations'> {
  return {
    people: personTable(database),
    members: memberTable(database),
    signIns: signInTable(database),
    invitations: invitationTable(database),
  }
}

function personTable(database: Kysely<Tables>): PersonTable {
  return {
    find: (id) => database.selectFrom('people').selectAll().where('id', '=', id).executeTakeFirst(),
    findByEmail: (email) => database.selectFrom('people').selectAll().where('email', '=', email).executeTakeFirst(),
    async isEmpty() {
      return (await database.selectFrom('people').select('id').limit(1).executeTakeFirst()) === undefined
    },
    async insert(row) {
      await database.insertInto('people').values(row).execute()
    },
    async setPassword(id, password_hash) {
      const { numUpdatedRows } = await database
        .updateTable('people')
        .set({ password_hash })
        .where('id', '=', id)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    async delete(id) {
      const { numDeletedRows } = await database.deleteFrom('people').where('id', '=', id).executeTakeFirst()
      return numDeletedRows > 0n
    },
  }
}

function memberTable(database: Kysely<Tables>): MemberTable {
  return {
    ofPerson: (personId) =>
      database.selectFrom('members').selectAll().where('person_id', '=', personId).orderBy('account_id').execute(),
    ofAccount: (accountId) =>
      database
        .selectFrom('members')
        .innerJoin('people', 'people.id', 'members.person_id')
        .selectAll('members')
        .select(['people.email', 'people.name'])
        .where('members.account_id', '=', accountId)
        .orderBy('members.joined_at')
        .orderBy('members.person_id')
        .execute(),
    async insert(row) {
      await database.insertInto('members').values(row).execute()
    },
    async update({ account_id, person_id, role, disabled_at }) {
      const { numUpdatedRows } = await database
        .updateTable('members')
        .set({ role, disabled_at })
        .where('account_id', '=', account_id)
        .where('person_id', '=', person_id)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
    async delete({ account_id, person_id }) {
      const { numDeletedRows } = await database
        .deleteFrom('members')
        .where('account_id', '=', account_id)
        .where('person_id', '=', person_id)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },
  }
}

function signInTable(database: Kysely<Tables>): SignInTable {
  return {
    find: (tokenHash) =>
      database.selectFrom('sign_ins').selectAll().where('token_hash', '=', tokenHash).executeTakeFirst(),
    insert: (row, { keep }) =>
      inTransaction(database, async (transaction) => {
        const kept = transaction
          .selectFrom('sign_ins')
          .select('token_hash')
          .where('person_id', '=', row.person_id)
          .orderBy('created_at', 'desc')
          .orderBy('token_hash')
          .limit(Math.max(0, keep - 1))
        await transaction
          .deleteFrom('sign_ins')
          .where('person_id', '=', row.person_id)
          .where('token_hash', 'not in', kept)
          .execute()
        await transaction.insertInto('sign_ins').values(row).execute()
      }),
    async seen(tokenHash, at) {
      await database
        .updateTable('sign_ins')
        .set({ last_seen_at: at })
        .where('token_hash', '=', tokenHash)
        .where('last_seen_at', '<', at)
        .execute()
    },
    async delete(tokenHash) {
      const { numDeletedRows } = await database
        .deleteFrom('sign_ins')
        .where('token_hash', '=', tokenHash)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },
    async deleteOf(personId, except = '') {
      await database
        .deleteFrom('sign_ins')
        .where('person_id', '=', personId)
        .where('token_hash', '!=', except)
        .execute()
    },
    async deleteEnded({ endedBy, idleSince }) {
      const { numDeletedRows } = await database
        .deleteFrom('sign_ins')
        .where((row) => row.or([row('expires_at', '<=', endedBy), row('last_seen_at', '<=', idleSince)]))
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}

function invitationTable(database: Kysely<Tables>): InvitationTable {
  return {
    findByCode: (codeHash) =>
      database.selectFrom('invitations').selectAll().where('code_hash', '=', codeHash).executeTakeFirst(),
    ofAccount: (accountId) =>
      database
        .selectFrom('invitations')
        .selectAll()
        .where('account_id', '=', accountId)
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
    async insert(row) {
      await database.insertInto('invitations').values(row).execute()
    },
    async delete({ account_id, id }) {
      const { numDeletedRows } = await database
        .deleteFrom('invitations')
        .where('account_id', '=', account_id)
        .where('id', '=', id)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },
    async deleteTo({ account_id, email }) {
      await database.deleteFrom('invitations').where('account_id', '=', account_id).where('email', '=', email).execute()
    },
    async deleteEnded({ endedBy }) {
      const { numDeletedRows } = await database
        .deleteFrom('invitations')
        .where('expires_at', '<=', endedBy)
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}
