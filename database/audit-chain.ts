import { createHash } from 'node:crypto';
import { pagesOf } from '../async/pages';
import { type ChainKind, memberHash, membersHash, rowHash, type Sha256 } from '../rules/audit-chain';
import type { Queryable, Transaction } from './connection';

export const sha256: Sha256 = (text) => createHash('sha256').update(text).digest('hex');

/**
 * Locks a chain until the end of the transaction. Two runs of one operator may close at the same moment, and
 * both would append at the same position.
 *
 * The lock belongs to the transaction, not to the session: behind a pooler another client gets the session.
 */
export async function lockChain(client: Transaction, kind: ChainKind, owner: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 30078))', [
    `audit chain ${kind} ${owner}`,
  ]);
}

/** A table of audit rows, and how its rows are written and hashed. */
interface AuditLog {
  kind: ChainKind;
  table: 'audit_log' | 'fleet_audit_log';
  /** A SELECT that makes one row from the parameters: every column except `hash`. */
  row: string;
  /** The column names of `row`, in the same order. */
  columns: string;
  /** The select list of what the hash covers, under the names of the row in TypeScript. */
  hashed: string;
}

/**
 * Appends a row and its hash. Postgres first returns the row as it will be read later, and that is hashed:
 * the types of the columns may change a value.
 */
export async function appendHashed(client: Transaction, log: AuditLog, values: unknown[]): Promise<void> {
  const [asRead] = await client.query(`SELECT ${log.hashed} FROM (${log.row}) AS audit`, values);
  await client.query(
    `INSERT INTO republish.${log.table} (${log.columns}, hash)
     SELECT audit.*, $${values.length + 1}::text FROM (${log.row}) AS audit`,
    [...values, rowHash(sha256, log.kind, asRead ?? {})],
  );
}

/** A timestamptz as ISO 8601 with all its microseconds, under the name of its column. */
const exactUtc = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ${column}`;

const DOCUMENT_TIMES = ['trouble_since', 'sealed_at', 'signed_at', 'sent_at', 'settled_at'];

/**
 * The columns of `republish.documents` that the hash covers: all except `unsigned_event`, because `event_id`
 * is already its hash (NIP-01). A new column needs a new version of the hashed form: the hashes of earlier
 * rows do not cover it.
 */
const DOCUMENT = `run_id, document_type, machine_id, page, machine_name, atm_pubkey, operator_pubkey,
  state_fingerprint, event_id, created_at_s::text, signature, reused, resealed, relays, superseded_by,
  outcome, failure_type, failure_message, tries, question, written_by,
  ${DOCUMENT_TIMES.map(exactUtc).join(', ')}`;

/** Rows in memory at the same time: a run may have a hundred thousand documents. */
const ROWS_PER_READ = 1_000;

type DocumentPlace = { document_type: string; machine_id: string };

/** The columns of `republish.runs` except `closed_at`, which is set when the hash is known. */
const RUN = `run_id, workflow_id, operator_user_id, operator_pubkey, document_types, force, reset_counts, request,
  sweeps, ${exactUtc('started_at')}`;

/** Hash of the row of a run in `republish.runs` and of all its rows in `republish.documents`. */
export async function runMembersHash(db: Queryable, runId: string): Promise<string> {
  const run = await db.query(`SELECT ${RUN} FROM republish.runs WHERE run_id = $1`, [runId]);
  return hashOfAll<DocumentPlace>('run', run, (last) =>
    db.query<DocumentPlace>(
      `SELECT ${DOCUMENT} FROM republish.documents
        WHERE run_id = $1 AND ($2::text IS NULL OR (document_type, machine_id) > ($2::text, $3::text))
        ORDER BY document_type, machine_id LIMIT ${ROWS_PER_READ}`,
      [runId, last?.document_type ?? null, last?.machine_id ?? null],
    ),
  );
}

const OPERATOR = `run_id, operator_user_id, operator_run_id, outcome, failure_type, failure_message,
  ${exactUtc('ended_at')}`;

type OperatorPlace = { operator_user_id: string };

/** The columns of `republish.fleets` except `closed_at`. */
const FLEET = `run_id, workflow_id, request, ${exactUtc('started_at')}`;

/**
 * Hash of the row of a fleet in `republish.fleets`, and of its rows in `republish.fleet_operators` with an
 * outcome or a run.
 */
export async function fleetMembersHash(db: Queryable, runId: string): Promise<string> {
  const fleet = await db.query(`SELECT ${FLEET} FROM republish.fleets WHERE run_id = $1`, [runId]);
  return hashOfAll<OperatorPlace>('fleet', fleet, (last) =>
    db.query<OperatorPlace>(
      `SELECT ${OPERATOR} FROM republish.fleet_operators
        WHERE run_id = $1 AND (outcome IS NOT NULL OR operator_run_id IS NOT NULL)
          AND ($2::text IS NULL OR operator_user_id > $2::text)
        ORDER BY operator_user_id LIMIT ${ROWS_PER_READ}`,
      [runId, last?.operator_user_id ?? null],
    ),
  );
}

async function hashOfAll<Row extends object>(
  kind: ChainKind,
  itself: object[],
  read: (last: Row | undefined) => Promise<Row[]>,
): Promise<string> {
  const hashes = itself.map((row) => memberHash(sha256, kind, row));
  for await (const rows of pagesOf(ROWS_PER_READ, read))
    for (const row of rows) hashes.push(memberHash(sha256, kind, row));
  return membersHash(sha256, kind, hashes);
}
