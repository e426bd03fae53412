import type { FailureType } from '../../contract/failures';
import { GOOD_OUTCOMES, type Outcome } from '../../contract/progress';
import type { RelayStanding } from '../../contract/relay-standing';
import type { Queryable } from '../connection';

/** The primary key of `republish.documents`. */
export interface DocumentKey {
  runId: string;
  documentType: string;
  machineId: string;
}

/** The good outcomes as an SQL list, for `outcome IN ...`. */
export const GOOD = `(${GOOD_OUTCOMES.map((outcome) => `'${outcome}'`).join(', ')})`;

/** An unsigned Nostr event (NIP-01) with its id. */
export interface SealedEvent {
  /** Hex, as `pubkey`. */
  id: string;
  pubkey: string;
  kind: number;
  /** Seconds since the epoch. */
  created_at: number;
  tags: string[][];
  /** NIP-44. */
  content: string;
}

/** The newest answer of each relay about a document, by the URL of the relay. */
export type Relays = Record<string, RelayStanding>;

/** A row of `republish.documents`. Keys, ids and signatures are hex. */
export interface DocumentRow extends DocumentKey {
  page: number;
  machineName: string;
  /** Key of the machine. Null: the machine is not paired. */
  atmPubkey: string | null;
  operatorPubkey: string;
  stateFingerprint: string | null;
  /** Null: the document is not sealed. */
  event: SealedEvent | null;
  signature: string | null;
  /** An earlier run signed this event, for the same state. */
  reused: boolean;
  /** Relays refused the reused event, and this event was sealed in its place. */
  resealed: boolean;
  relays: Relays;
  /** Id of the newer event at the address. */
  supersededBy: string | null;
  /** Null: the document is open. */
  outcome: Outcome | null;
  failureType: FailureType | null;
  failureMessage: string | null;
  /** Failed tries since the last new fact. */
  tries: number;
}

const COLUMNS = `page, run_id AS "runId", document_type AS "documentType", machine_id AS "machineId",
  machine_name AS "machineName", atm_pubkey AS "atmPubkey", operator_pubkey AS "operatorPubkey",
  state_fingerprint AS "stateFingerprint", unsigned_event AS event, signature, reused, resealed, relays,
  superseded_by AS "supersededBy", outcome, failure_type AS "failureType",
  failure_message AS "failureMessage", tries`;

/**
 * `run`, for the WITH of a statement that writes: the run $1, or no row if it is closed. So a late statement
 * changes nothing. It locks the run before the pages and documents, in the same order as the close. In
 * another order the statement and the close could wait for each other.
 */
export const OPEN_RUN =
  'run AS (SELECT run_id FROM republish.runs WHERE run_id = $1 AND closed_at IS NULL FOR KEY SHARE)';

/**
 * The keys of some documents of the run $1 and the document type $2, as three arrays for `unnest`: run, type
 * and machine. With `run_id = $1` instead, Postgres uses its statistics: most runs are small, so it may read
 * every document of a large run for one page. It has no statistics about columns of `unnest`, so it looks
 * each document up by its primary key.
 *
 * @param machines an SQL array of machine ids, such as `$3::text[]`
 */
export function keysOf(machines: string): string {
  const times = `ARRAY[cardinality(${machines})]`;
  return `array_fill($1::text, ${times}), array_fill($2::text, ${times}), ${machines}`;
}

/** Joins `document` with the keys of `keysOf`, which are named `asked`. */
export const IS_ASKED =
  '(document.run_id, document.document_type, document.machine_id) = (asked.run, asked.type, asked.machine)';

/** A new fact about a document clears its trouble. */
export const NO_TROUBLE = 'tries = 0, trouble_since = NULL, failure_type = NULL, failure_message = NULL';

/** One array for each key, as parameters for `unnest`. An absent value is null. */
export function columnsOf<Row, Key extends keyof Row>(rows: readonly Row[], ...keys: Key[]): unknown[][] {
  return keys.map((key) => rows.map((row) => row[key] ?? null));
}

/** The seal of an earlier run at an address: what the next run decides by. */
export type EarlierSeal = Pick<DocumentRow, 'event' | 'signature' | 'stateFingerprint' | 'outcome'>;

/** The address of a document, without its kind: the author, and the two parts of the d tag. */
export interface DocumentAddress {
  operatorPubkey: string;
  documentType: string;
  atmPubkey: string;
}

/** Those of the events at an address that any run has sealed. */
export async function sealedAmong(
  db: Queryable,
  { operatorPubkey, documentType, atmPubkey }: DocumentAddress,
  eventIds: readonly string[],
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT DISTINCT event_id AS id FROM republish.documents
      WHERE operator_pubkey = $1 AND document_type = $2 AND atm_pubkey = $3 AND event_id = ANY ($4::text[])`,
    [operatorPubkey, documentType, atmPubkey, eventIds],
  );
  return rows.map(({ id }) => id);
}

/** Document types of which any run has sealed a document under this key. */
export async function publishedTypes(db: Queryable, operatorPubkey: string): Promise<string[]> {
  const rows = await db.query<{ type: string }>(
    `SELECT DISTINCT document_type AS type FROM republish.documents
      WHERE operator_pubkey = $1 AND event_id IS NOT NULL ORDER BY 1`,
    [operatorPubkey],
  );
  return rows.map(({ type }) => type);
}

/** Every document of a run, in the order of document type and machine id. */
export function documentsOfRun(db: Queryable, runId: string): Promise<DocumentRow[]> {
  return db.query<DocumentRow>(
    `SELECT ${COLUMNS} FROM republish.documents
      WHERE run_id = $1 ORDER BY document_type, machine_id COLLATE "C"`,
    [runId],
  );
}
