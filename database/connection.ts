import type { PoolClient } from 'pg';
import { ensureError, RepublishError } from '../contract/failures';
import { Connections, type Lent, LONGER_THAN_THE_SERVER_MS } from './connections';
import { parsePostgresUrl } from './postgres-url';
import { asRepublishError, sqlState } from './refusals';
import { beginOf, STATEMENT_TIMEOUT_MS } from './session';

/** What a statement that only reads runs on: the pool, or one client inside a transaction. */
export interface Queryable {
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
}

/**
 * What a statement that writes or locks runs on. A function that writes asks for this, so that it cannot be
 * given a `ReadOnlyDatabase`.
 */
export interface Writable extends Queryable {
  readonly mayWrite: true;
}

/** Every statement runs in a READ ONLY transaction: Postgres refuses what would write (SQLSTATE 25006). */
export interface ReadOnlyDatabase extends Queryable {
  /**
   * Runs `work` in one transaction (READ COMMITTED), again from the start when Postgres asks for that
   * (serialization, deadlock).
   */
  transaction<T>(work: (client: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Database extends Writable {
  /** As of a `ReadOnlyDatabase`, and `work` may write. */
  transaction<T>(work: (client: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Transaction extends Writable {
  /** Runs statements without parameters that may take longer than others. */
  run(statements: string, timeoutMs: number): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://...`; never logged. */
  url: string;
  /** At most; a server that gives fewer is content with that. Default: 10. */
  maxConnections?: number;
  /** Told of connections that broke while idle; the pool replaces them by itself. */
  onIdleError?: (error: Error) => void;
  /** Told whenever Postgres asks for a transaction to be run again. */
  onRepeat?: () => void;
}

/** SQLSTATEs after which the same transaction may simply be run again. */
const RUN_AGAIN = new Set(['40001', '40P01']);
const TRANSACTION_ATTEMPTS = 5;

/**
 * Opens a pool; connects to nothing yet. Errors come out as RepublishError: DatabaseUnavailable (retried) or
 * DatabaseMisconfigured (not), with the SQLSTATE and Postgres' own message but never its `detail`, which can
 * quote row values.
 *
 * Every statement runs with the same settings (database/session.ts), whatever the server's, the database's
 * and the role's are, also through a pooler in transaction mode: no state of a session is relied on there.
 *
 * @throws RepublishError DatabaseMisconfigured: the URL is none, or names a file that cannot be used
 */
export function openDatabase(options: DatabaseOptions): Database {
  return { mayWrite: true, ...open(options, { readOnly: false }) };
}

/** As `openDatabase`, for whoever only looks. */
export function openReadOnlyDatabase(options: DatabaseOptions): ReadOnlyDatabase {
  return open(options, { readOnly: true });
}

function open(options: DatabaseOptions, { readOnly }: { readOnly: boolean }): Omit<Database, 'mayWrite'> {
  const where = placeOf(options.url);
  const connections = openConnections(options, where);
  const inTransaction = <T>(lent: Lent, work: () => Promise<T>): Promise<T> =>
    between(lent.client, beginOf({ isSet: lent.isSet, readOnly }), work);

  const untilItRuns = async <T>(run: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (thrown) {
        if (attempt === TRANSACTION_ATTEMPTS || !RUN_AGAIN.has(sqlState(thrown) ?? ''))
          throw asRepublishError(thrown, where);
        options.onRepeat?.();
      }
    }
  };

  return {
    query: <Row extends object>(text: string, values?: unknown[]) =>
      untilItRuns(() =>
        lent(connections, async (connection) => {
          const query = async () => (await connection.client.query(text, values)).rows as Row[];
          // A statement of its own is a transaction of its own.
          return connection.isSet && !readOnly ? await query() : await inTransaction(connection, query);
        }),
      ),
    transaction: (work) =>
      untilItRuns(() =>
        lent(connections, (connection) => inTransaction(connection, () => work(onClient(connection.client)))),
      ),
    close: () => connections.close(),
  };
}

function openConnections(
  { url, maxConnections = 10, onIdleError }: DatabaseOptions,
  where: string,
): Connections {
  try {
    return new Connections(parsePostgresUrl(url), { maxConnections, onIdleError });
  } catch (thrown) {
    throw asRepublishError(thrown, where);
  }
}

async function lent<T>(connections: Connections, work: (connection: Lent) => Promise<T>): Promise<T> {
  const connection = await connections.lend();
  let broken: Error | undefined;
  try {
    return await work(connection);
  } catch (thrown) {
    // Whatever the server has not said itself leaves it open what the connection still does.
    if (sqlState(thrown) === undefined && !(thrown instanceof RepublishError)) broken = ensureError(thrown);
    throw thrown;
  } finally {
    connection.client.release(broken);
  }
}

async function between<T>(client: PoolClient, begin: string, work: () => Promise<T>): Promise<T> {
  try {
    // Within: of several statements the first may have begun a transaction, and a later one have been
    // refused.
    await client.query(begin);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (thrown) {
    if (sqlState(thrown) === undefined && !(thrown instanceof RepublishError)) throw thrown;
    await rollback(client);
    throw thrown;
  }
}

/** What cannot be rolled back ends with its connection. */
async function rollback(client: PoolClient): Promise<void> {
  await client.query('ROLLBACK').catch(() => client.end().catch(() => undefined));
}

function onClient(client: PoolClient): Transaction {
  return {
    mayWrite: true,
    query: async <Row extends object>(text: string, values?: unknown[]) =>
      (await client.query(text, values)).rows as Row[],
    run: async (text, timeoutMs) => {
      await client.query(`SET LOCAL statement_timeout = ${timeoutMs}`);
      const statements = { text, query_timeout: timeoutMs + LONGER_THAN_THE_SERVER_MS };
      await client.query(statements);
      await client.query(`SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    },
  };
}

/** Host, port and database of a URL: never the user or the password. */
export function placeOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed ? `${parsed.host}${parsed.pathname}` : 'the address in its URL';
}
