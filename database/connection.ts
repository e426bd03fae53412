import type { PoolClient } from 'pg';
import { ensureError, RepublishError } from '../contract/failures';
import { Connections, type LentConnection, LONGER_THAN_THE_SERVER_MS } from './connections';
import { parsePostgresUrl } from './postgres-url';
import { asRepublishError, sqlState } from './refusals';
import { beginOf, STATEMENT_TIMEOUT_MS } from './session';
import { parsedUrl } from '../rules/url';

/** Runs statements that only read: a pool, or one client inside a transaction. */
export interface Queryable {
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
}

/**
 * Runs statements that write or lock. A function that writes takes this type: a `ReadOnlyDatabase` does not
 * fit.
 */
export interface Writable extends Queryable {
  readonly mayWrite: true;
}

/** Every statement runs in a READ ONLY transaction: Postgres refuses to write (SQLSTATE 25006). */
export interface ReadOnlyDatabase extends Queryable {
  /**
   * Runs `work` in one READ COMMITTED transaction. It runs again from the start when Postgres reports a
   * serialization failure or a deadlock, at most five times.
   */
  transaction<T>(work: (client: Queryable) => Promise<T>): Promise<T>;
  /** The same connections, with READ ONLY transactions alone. */
  readonly readOnly: ReadOnlyDatabase;
  close(): Promise<void>;
}

export interface Database extends Writable {
  /** As `ReadOnlyDatabase.transaction`, but `work` may write. */
  transaction<T>(work: (client: Transaction) => Promise<T>): Promise<T>;
  readonly readOnly: ReadOnlyDatabase;
  close(): Promise<void>;
}

export interface Transaction extends Writable {
  /** Runs statements without parameters under a statement timeout of their own. */
  run(statements: string, timeoutMs: number): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://...`; never logged. */
  url: string;
  /** The most connections that are open. Fewer are used when the server refuses more. Default: 10. */
  maxConnections?: number;
  /** Called when an idle connection breaks. The pool replaces it. */
  onIdleError?: (error: Error) => void;
  /** Called each time a transaction runs again. */
  onRepeat?: () => void;
}

/** SQLSTATEs after which the same transaction can run again: serialization_failure, deadlock_detected. */
const REPEATABLE = new Set(['40001', '40P01']);
const TRANSACTION_ATTEMPTS = 5;

/**
 * Makes a pool of connections. The first statement opens the first connection.
 *
 * Every error of a statement is a RepublishError: DatabaseUnavailable (retried) or DatabaseMisconfigured (not
 * retried). Its message has the SQLSTATE and Postgres' message, never Postgres' `detail`, which can contain
 * row values.
 *
 * Every statement runs with the settings of database/session.ts, whatever the settings of the server, the
 * database and the role are. This also holds behind a pooler in transaction mode.
 *
 * @throws RepublishError DatabaseMisconfigured: the URL is invalid, or it names a file that cannot be used
 */
export function openDatabase(options: DatabaseOptions): Database {
  const connections = openConnections(options);
  return {
    mayWrite: true,
    ...statementsOn(connections, options, { readOnly: false }),
    readOnly: readOnlyOn(connections, options),
  };
}

/** As `openDatabase`, but every transaction is READ ONLY. */
export function openReadOnlyDatabase(options: DatabaseOptions): ReadOnlyDatabase {
  return readOnlyOn(openConnections(options), options);
}

function readOnlyOn(connections: Connections, options: DatabaseOptions): ReadOnlyDatabase {
  const database = {
    ...statementsOn(connections, options, { readOnly: true }),
    get readOnly(): ReadOnlyDatabase {
      return database;
    },
  };
  return database;
}

function statementsOn(
  connections: Connections,
  { url, onRepeat }: DatabaseOptions,
  { readOnly }: { readOnly: boolean },
): Pick<Database, 'query' | 'transaction' | 'close'> {
  const where = placeOf(url);
  const inTransaction = <T>({ client, hasSettings }: LentConnection, work: () => Promise<T>): Promise<T> =>
    between(client, beginOf({ hasSettings, readOnly }), work);

  const withRepeats = async <T>(run: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (thrown) {
        if (attempt === TRANSACTION_ATTEMPTS || !REPEATABLE.has(sqlState(thrown) ?? ''))
          throw asRepublishError(thrown, where, { readOnly });
        onRepeat?.();
      }
    }
  };

  return {
    query: <Row extends object>(text: string, values?: unknown[]) =>
      withRepeats(() =>
        withConnection(connections, async (connection) => {
          const { client, hasSettings } = connection;
          const query = async () => (await client.query(text, values)).rows as Row[];
          // A statement alone is a transaction of its own.
          return hasSettings && !readOnly ? await query() : await inTransaction(connection, query);
        }),
      ),
    transaction: (work) =>
      withRepeats(() =>
        withConnection(connections, (connection) =>
          inTransaction(connection, () => work(onClient(connection.client))),
        ),
      ),
    close: () => connections.close(),
  };
}

function openConnections({ url, maxConnections = 10, onIdleError }: DatabaseOptions): Connections {
  try {
    return new Connections(parsePostgresUrl(url), { maxConnections, onIdleError });
  } catch (thrown) {
    throw asRepublishError(thrown, placeOf(url));
  }
}

async function withConnection<T>(
  connections: Connections,
  work: (connection: LentConnection) => Promise<T>,
): Promise<T> {
  const connection = await connections.lend();
  let broken: Error | undefined;
  try {
    return await work(connection);
  } catch (thrown) {
    // Without an SQLSTATE the error is not the server's, and the connection may be in any state: it is
    // closed.
    if (sqlState(thrown) === undefined && !(thrown instanceof RepublishError)) broken = ensureError(thrown);
    throw thrown;
  } finally {
    connection.client.release(broken);
  }
}

async function between<T>(client: PoolClient, begin: string, work: () => Promise<T>): Promise<T> {
  try {
    // Inside the try: `begin` may be several statements. A refused SET leaves a transaction to roll back.
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

/** Closes the connection when it cannot roll back: Postgres then drops the transaction. */
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

/** Host, port and database of a URL, for messages. Never the user or the password. */
export function placeOf(url: string): string {
  const parsed = parsedUrl(url);
  return parsed ? `${parsed.host}${parsed.pathname}` : 'the address in its URL';
}
