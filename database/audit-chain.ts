import { createHash } from 'node:crypto';
import { pagesOf } from '../async/pages';
import { type ChainKind, memberHash, membersHash, rowHash, type Sha256 } from '../rules/audit-chain';
import type { Queryable, Transaction } from './connection';

export const sha256: Sha256 = (text) => createHash('sha256').update(text).digest('hex');

/**
 * Until the end of the transaction nobody else appends to this chain: two runs of an operator may be closed
 * at the same moment. No lock of the session, since behind a pooler a session is not one's own.
 */
export async function lockChain(client: Transaction, kind: ChainKind, owner: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 30078))', [
    `audit chain ${kind} ${owner}`,
  ]);
}

/** How a log of audits has its rows. */
interface AuditLog {
  kind: ChainKind;
  table: 'audit_log' | 'fleet_audit_log';
  /** The columns of a row but its hash, as a statement that makes one of parameters. */
  row: string;
  /** Their names, in that order. */
  columns: string;
  /** What is hashed of them, by the names that they are told by. */
  hashed: string;
}

/**
 * Appends a row with its hash, which is of the row as it will be read: what Postgres makes of a value is its
 * own affair.
 */
export async function appendHashed(client: Transaction, log: AuditLog, values: unknown[]): Promise<void> {
  const [asRead] = await client.query(`SELECT ${log.hashed} FROM (${log.row}) AS audit`, values);
  await client.query(
    `INSERT INTO republish.${log.table} (${log.columns}, hash)
     SELECT audit.*, $${values.length + 1}::text FROM (${log.row}) AS audit`,
    [...values, rowHash(sha256, log.kind, asRead ?? {})],
  );
}

/** With microseconds, as a row has it, under the name of its column. */
const exactUtc = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ${column}`;

/**
 * What is hashed of a document: every column but `unsigned_event`, of which `event_id` is the hash (NIP-01)
 * already. A column that is added later belongs to another version of the form: what is hashed already stays
 * as it is.
 */
const DOCUMENT = `run_id, document_type, machine_id, page, machine_name, atm_pubkey, operator_pubkey, state_fingerprint,
  event_id, created_at_s::text, signature, reused, resealed, relays, superseded_by, outcome, failure_type, failure_message,
  tries, question, written_by, ${['trouble_since', 'sealed_at', 'signed_at', 'sent_at', 'settled_at'].map(exactUtc).join(', ')}`;

/** Rows in memory at once: a run may have a hundred thousand documents. */
const AT_ONCE = 1_000;

type DocumentPlace = { document_type: string; machine_id: string };

/** Hash of what the ledger says of each document of a run. */
export async function documentsHash(db: Queryable, runId: string): Promise<string> {
  return hashOfAll<DocumentPlace>('run', (last) =>
    db.query<DocumentPlace>(
      `SELECT ${DOCUMENT} FROM republish.documents
        WHERE run_id = $1 AND ($2::text IS NULL OR (document_type, machine_id) > ($2::text, $3::text))
        ORDER BY document_type, machine_id LIMIT ${AT_ONCE}`,
      [runId, last?.document_type ?? null, last?.machine_id ?? null],
    ),
  );
}

const OPERATOR = `run_id, operator_user_id, operator_run_id, outcome, failure_type, failure_message, ${exactUtc('ended_at')}`;

type OperatorPlace = { operator_user_id: string };

/** Hash of what the ledger says of each operator of a fleet who ended. */
export async function operatorsHash(db: Queryable, runId: string): Promise<string> {
  return hashOfAll<OperatorPlace>('fleet', (last) =>
    db.query<OperatorPlace>(
      `SELECT ${OPERATOR} FROM republish.fleet_operators
        WHERE run_id = $1 AND outcome IS NOT NULL AND ($2::text IS NULL OR operator_user_id > $2::text)
        ORDER BY operator_user_id LIMIT ${AT_ONCE}`,
      [runId, last?.operator_user_id ?? null],
    ),
  );
}

async function hashOfAll<Row extends object>(
  kind: ChainKind,
  read: (last: Row | undefined) => Promise<Row[]>,
): Promise<string> {
  const hashes: string[] = [];
  for await (const rows of pagesOf(AT_ONCE, read))
    for (const row of rows) hashes.push(memberHash(sha256, kind, row));
  return membersHash(sha256, kind, hashes);
}
