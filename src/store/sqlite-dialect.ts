import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { SqliteClient } from './sqlite-client.ts'

/**
 * Kysely over a `SqliteClient`. There is one connection, and whoever has it has the database to itself, transactions
 * included: `SqliteAdapter` says so, and Kysely keeps the queue.
 */
export function sqliteDialect(client: SqliteClient): Dialect {
  return {
    createDriver: () => new SqliteWorkerDriver(client),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (database) => new SqliteIntrospector(database),
  }
}

class SqliteWorkerDriver implements Driver {
  readonly #client: SqliteClient
  readonly #connection: DatabaseConnection

  constructor(client: SqliteClient) {
    this.#client = client
    this.#connection = new SqliteWorkerConnection(client)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    // Immediate: the write lock is taken now, so a transaction that has read never fails for its first write.
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async destroy(): Promise<void> {
    await this.#client.close()
  }
}

class SqliteWorkerConnection implements DatabaseConnection {
  readonly #client: SqliteClient

  constructor(client: SqliteClient) {
    this.#client = client
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await this.#client.query<Row>(query.sql, query.parameters)
    return { rows, numAffectedRows: BigInt(changes) }
  }

  // biome-ignore lint/correctness/useYield: Kysely's interface asks for it; every result here fits one message.
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('streaming is not supported')
  }
}
