import { Pool, type PoolClient } from 'pg';
import { ensureError, RepublishError } from '../contract/failures';
import { PACKAGE } from '../contract/names';

/** Anything a statement can run on: the pool, or one client inside a transaction. */
export interface Queryable {
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
}

export interface Database extends Queryable {
  /**
   * Runs `work` in one transaction, again from the start when Postgres asks for that (serialization,
   * deadlock).
   */
  transaction<T>(work: (client: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Transaction extends Queryable {
  /** Runs statements without parameters that may take longer than others. */
  run(statements: string, timeoutMs: number): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://...`; never logged. */
  url: string;
  maxConnections?: number;
  /** Told of connections that broke while idle; the pool replaces them by itself. */
  onIdleError?: (error: Error) => void;
  /** Told whenever Postgres asks for a transaction to be run again. */
  onRepeat?: () => void;
}

/** SQLSTATEs after which the same transaction may simply be run again. */
const RUN_AGAIN = new Set(['40001', '40P01']);
const TRANSACTION_ATTEMPTS = 5;

const STATEMENT_TIMEOUT_MS = 30_000;
/** A server that vanished without a FIN would otherwise hold a query, and with it a document, for ever. */
const LONGER_THAN_THE_SERVER_MS = 5_000;

const LOCK_NOT_AVAILABLE = '55P03';

/**
 * SQLSTATE classes and codes that no retry mends: syntax or missing object or right, and constraint
 * violations.
 */
const FINAL_CLASSES = ['42', '3F', '22', '23', '0A', '28', '3D', 'P0'];

/**
 * Opens a pool. Errors come out as RepublishError: DatabaseUnavailable (retried) or DatabaseMisconfigured
 * (not), with the SQLSTATE and Postgres' own message but never its `detail`, which can quote row values.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: 5_000,
    query_timeout: STATEMENT_TIMEOUT_MS + LONGER_THAN_THE_SERVER_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    application_name: PACKAGE,
  });
  // Without a listener a connection that breaks would end the process: while it is idle, and, since the pool
  // does not listen then, from the moment in which it is handed out, which may be that of the message that
  // ends it.
  pool.on('error', (error) => options.onIdleError?.(error));
  pool.on('connect', (client) => client.on('error', () => undefined));

  const where = placeOf(options.url);
  const onClient = (client: PoolClient): Transaction => ({
    query: async <Row extends object>(text: string, values?: unknown[]) =>
      (await client.query(text, values)).rows as Row[],
    run: async (text, timeoutMs) => {
      await client.query(`SET LOCAL statement_timeout = ${timeoutMs}`);
      const statements = { text, query_timeout: timeoutMs + LONGER_THAN_THE_SERVER_MS };
      await client.query(statements);
      await client.query(`SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    },
  });

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
    // A statement of its own is a transaction of its own.
    query: <Row extends object>(text: string, values?: unknown[]) =>
      untilItRuns(async () => (await pool.query(text, values)).rows as Row[]),
    transaction: (work) => untilItRuns(() => inTransaction(pool, (client) => work(onClient(client)))),
    close: () => pool.end(),
  };
}

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (thrown) {
    await client.query('ROLLBACK').catch((error: unknown) => (broken = ensureError(error)));
    throw thrown;
  } finally {
    client.release(broken);
  }
}

/** Host, port and database of a URL: never the user or the password. */
export function placeOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed ? `${parsed.host}${parsed.pathname}` : 'the address in DATABASE_URL';
}

function sqlState(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/**
 * The codes of Node's and pg's own errors are no SQLSTATEs: those have five characters, of which the first is
 * never an E (EPIPE).
 */
function asRepublishError(thrown: unknown, where: string): RepublishError {
  if (thrown instanceof RepublishError) return thrown;
  const code = sqlState(thrown);
  const message = ensureError(thrown).message;
  if (code === LOCK_NOT_AVAILABLE) {
    return new RepublishError(
      'DatabaseUnavailable',
      'another transaction holds what this needs (55P03; pg_stat_activity shows which), such as a worker that migrates the schema: try again when it has ended',
    );
  }
  const isSqlState = code !== undefined && /^(?!E)[0-9A-Z]{5}$/.test(code);
  // 25006: read-only (a failover, or a full disk guard): it passes.
  if (isSqlState && FINAL_CLASSES.some((prefix) => code.startsWith(prefix))) {
    // Data exceptions and violated constraints quote values in the message itself.
    const shown = /^2[23]/.test(code) ? 'a value is not what its column or cast needs' : message;
    return new RepublishError('DatabaseMisconfigured', `Postgres refused a statement (${code}): ${shown}`);
  }
  if (isSqlState) {
    const refusal = `Postgres could not take a statement now (${code}): ${message}`;
    return new RepublishError('DatabaseUnavailable', refusal);
  }
  return new RepublishError(
    'DatabaseUnavailable',
    `Postgres at ${where} is not reachable (${code ?? message})`,
  );
}
