import { ensureError, RepublishError } from '../contract/failures';
import { LONGER_THAN_THE_SERVER_MS, NO_TLS_OFFERED } from './connections';
import { PostgresUrlFault } from './postgres-url';
import { STATEMENT_TIMEOUT_MS } from './session';

/**
 * The words of others: SQLSTATE, the codes of Node.js and OpenSSL, and the texts of pg and pgbouncer that
 * have no code. This file is the only place that reads them.
 */

/**
 * SQLSTATE classes and codes that no retry mends: syntax or missing object or right, and constraint
 * violations.
 */
const FINAL_CLASSES = ['42', '3F', '22', '23', '0A', '28', '3D', 'P0'];

/** The message of pg. It has no code. */
const NO_ANSWER = 'Query read timeout';

/** How OpenSSL and Node.js call what is wrong with a certificate, or with TLS at all. */
const OF_A_CERTIFICATE =
  /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|INVALID_|HOSTNAME_|PATH_LENGTH_|ERR_TLS_CERT_|CRL_)/;
const OF_TLS = /^(ERR_TLS_|ERR_SSL_|EPROTO$)/;

/** What pg's errors of the server say, apart from the message. Never `detail`, which can quote row values. */
interface Said {
  code?: unknown;
  schema?: unknown;
  table?: unknown;
  constraint?: unknown;
}

/** The SQLSTATE of an error of the server; Node's and pg's own codes are none: EPIPE begins with an E. */
export function sqlState(thrown: unknown): string | undefined {
  const { code } = (thrown ?? {}) as Said;
  return typeof code === 'string' && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * @param where host, port and database, for a message
 * @param readOnly the statement ran in a READ ONLY transaction of ours
 */
export function asRepublishError(
  thrown: unknown,
  where: string,
  { readOnly = false }: { readOnly?: boolean } = {},
): RepublishError {
  if (thrown instanceof RepublishError) return thrown;
  if (thrown instanceof PostgresUrlFault) return urlFault(thrown);
  const state = sqlState(thrown);
  const error = ensureError(thrown);
  // Elsewhere the same code says that the whole server is read-only, for example after a failover: retried.
  if (readOnly && state === READ_ONLY)
    return withSqlState(misconfigured('it writes, and a query may only read', QUERY_WRITES), state);
  return state === undefined
    ? unanswered(thrown, error, where)
    : withSqlState(refusal(thrown as Said, state, error.message), state);
}

const READ_ONLY = '25006';
const QUERY_WRITES =
  'Replace what writes in the query (an INSERT, nextval, a lock, a function with one of these) by a SELECT.';

function withSqlState({ type, message, remedy }: RepublishError, sqlState: string): RepublishError {
  return new RepublishError(type, message, { remedy, sqlState });
}

/** Of DATABASE_URL or LNBITS_DATABASE_URL: the caller that opened it knows which. */
function urlFault({ what, remedy }: PostgresUrlFault): RepublishError {
  return misconfigured(`the URL of the Postgres database ${what}`, `In that URL: ${remedy}.`);
}

function misconfigured(message: string, remedy?: string): RepublishError {
  return new RepublishError('DatabaseMisconfigured', message, { remedy });
}

function unanswered(thrown: unknown, { message }: Error, where: string): RepublishError {
  const { code } = (thrown ?? {}) as { code?: string };
  if (message === NO_TLS_OFFERED) {
    return misconfigured(
      `Postgres at ${where} takes no TLS, and the URL demands it`,
      'Turn `ssl` on in the server (or the pooler before it), or write sslmode=prefer or sslmode=disable in the URL.',
    );
  }
  if (code !== undefined && OF_A_CERTIFICATE.test(code)) {
    return misconfigured(
      `the certificate of Postgres at ${where} is not accepted (${code})`,
      'Name the CA that signed it with sslrootcert=<file> in the URL, and the host as the certificate has it; sslmode=verify-ca does not look at the name, sslmode=require without sslrootcert at neither.',
    );
  }
  if (code !== undefined && OF_TLS.test(code)) {
    return misconfigured(
      `TLS with Postgres at ${where} fails (${code})`,
      'Check sslmode, sslcert, sslkey and sslrootcert in the URL, and the log of the server.',
    );
  }
  if (message === NO_ANSWER) {
    const seconds = (STATEMENT_TIMEOUT_MS + LONGER_THAN_THE_SERVER_MS) / 1000;
    return new RepublishError(
      'DatabaseUnavailable',
      `Postgres at ${where} did not answer a statement within ${seconds} s`,
    );
  }
  return new RepublishError(
    'DatabaseUnavailable',
    `Postgres at ${where} is not reachable (${code ?? message})`,
  );
}

function refusal(said: Said, state: string, message: string): RepublishError {
  const known = KNOWN[state]?.(said, message);
  if (known !== undefined) return known;
  if (!FINAL_CLASSES.some((prefix) => state.startsWith(prefix))) {
    return new RepublishError(
      'DatabaseUnavailable',
      `Postgres could not take a statement now (${state}): ${message}`,
    );
  }
  // Data exceptions and violated constraints quote values in the message itself.
  const shown = /^2[23]/.test(state) ? 'a value is not what its column or cast needs' : message;
  return misconfigured(`Postgres refused a statement (${state}): ${shown}`);
}

/** SQLSTATEs with a better message than the server's. */
const KNOWN: Partial<Record<string, (said: Said, message: string) => RepublishError | undefined>> = {
  '55P03': () =>
    new RepublishError(
      'DatabaseUnavailable',
      'another transaction holds what this needs (55P03; pg_stat_activity shows which), such as a worker that migrates the schema: try again when it has ended',
    ),
  '53300': (_, message) =>
    new RepublishError('DatabaseUnavailable', `Postgres gives no further connection (53300): ${message}`, {
      remedy:
        'Raise the limit that the message names (ALTER ROLE ... CONNECTION LIMIT, max_connections), end programs that hold connections (pg_stat_activity shows them), or put a pooler such as pgbouncer in between. One connection is enough for a command, two for a worker: it takes what it is given.',
    }),
  '22P05': () =>
    misconfigured(
      'the database cannot store a character that it was given (22P05): its encoding is not UTF8',
      NEEDS_UTF8,
    ),
  '08P01': (_, message) =>
    /unsupported startup parameter/.test(message)
      ? misconfigured(
          `what stands before Postgres takes no "options" (08P01): ${message}`,
          'Leave "options" out of the URL (and PGOPTIONS out of the environment); set what it sets for the role: ALTER ROLE ... SET search_path = ...',
        )
      : undefined,
  '23505': ({ schema, table, constraint }) =>
    schema === 'republish' && typeof table === 'string' && constraint === `${table}_pkey` && isNumbered(table)
      ? new RepublishError('SequenceBehind', `the next number of republish.${table} is taken already (23505)`)
      : undefined,
};

/** Tables whose rows Postgres numbers; every other key is made of values of the row. */
function isNumbered(table: string): boolean {
  return table === 'audit_log' || table === 'fleet_audit_log';
}

export const NEEDS_UTF8 =
  "Keep the ledger in a database of its own, which may be on the same server: CREATE DATABASE republish ENCODING 'UTF8' TEMPLATE template0; and let DATABASE_URL lead there. LNBITS_DATABASE_URL stays as it is.";
