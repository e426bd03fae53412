import type { FailureType } from '../../contract/failures';
import { GOOD_OUTCOMES, type Outcome } from '../../contract/progress';
import type { RelayStanding } from '../../contract/relay-standing';
import type { Queryable } from '../connection';

/** Which row of the ledger: one per run, document type and machine. */
export interface DocumentKey {
  runId: string;
  documentType: string;
  machineId: string;
}

/** The good outcomes, as SQL. */
export const GOOD = `(${GOOD_OUTCOMES.map((outcome) => `'${outcome}'`).join(', ')})`;

/** Unsigned Nostr event (NIP-01) whose id is known. `created_at` in seconds. */
export interface SealedEvent {
  id: string;
  pubkey: string;
  kind: number;
  created_at: number;
  tags: string[][];
  content: string;
}

export type Relays = Record<string, RelayStanding>;

export interface DocumentRow extends DocumentKey {
  page: number;
  machineName: string;
  atmPubkey: string | null;
  operatorPubkey: string;
  stateFingerprint: string | null;
  event: SealedEvent | null;
  signature: string | null;
  /** The event was signed in an earlier run for the same state. */
  reused: boolean;
  /** Relays refused the reused event, and this one was sealed in its place. */
  resealed: boolean;
  relays: Relays;
  supersededBy: string | null;
  outcome: Outcome | null;
  failureType: FailureType | null;
  failureMessage: string | null;
  /** Tries in vain since the last new fact. */
  tries: number;
}

const COLUMNS = `page, run_id AS "runId", document_type AS "documentType", machine_id AS "machineId",
  machine_name AS "machineName", atm_pubkey AS "atmPubkey", operator_pubkey AS "operatorPubkey",
  state_fingerprint AS "stateFingerprint", unsigned_event AS event, signature, reused, resealed, relays,
  superseded_by AS "supersededBy", outcome, failure_type AS "failureType", failure_message AS "failureMessage", tries`;

/**
 * The run $1 as a part of a statement that writes: nothing where it is closed, so that what comes too late
 * changes nothing. It is locked before the pages and documents, in the order of the close: otherwise the two
 * could wait for each other.
 */
export const OPEN_RUN =
  'run AS (SELECT run_id FROM republish.runs WHERE run_id = $1 AND closed_at IS NULL FOR KEY SHARE)';

/**
 * The keys of these machines, of the run $1 and the document type $2, as the columns run, type and machine of
 * `unnest`. Postgres may think that a run has few documents, since most have, and read the whole of a large
 * one for the sake of a page. Of columns it knows nothing, so it looks each document up by its key.
 *
 * @param machines SQL: an array, such as `$3::text[]`
 */
export function keysOf(machines: string): string {
  const times = `ARRAY[cardinality(${machines})]`;
  return `array_fill($1::text, ${times}), array_fill($2::text, ${times}), ${machines}`;
}

/** Whether `document` has a key that was asked for so. */
export const IS_ASKED =
  'document.run_id = asked.run AND document.document_type = asked.type AND document.machine_id = asked.machine';

/** What a new fact about a document clears. */
export const NO_TROUBLE = 'tries = 0, trouble_since = NULL, failure_type = NULL, failure_message = NULL';

/** One array for each key, as `unnest` takes them; what is absent is null. */
export function columnsOf<Row, Key extends keyof Row>(rows: readonly Row[], ...keys: Key[]): unknown[][] {
  return keys.map((key) => rows.map((row) => row[key] ?? null));
}

/** What a run has sealed for an address, as far as it matters to the next. */
export type EarlierSeal = Pick<DocumentRow, 'event' | 'signature' | 'stateFingerprint' | 'outcome'>;

/** Address of a document apart from its kind: whose it is, of which type, for which machine (by its key). */
export interface DocumentAddress {
  operatorPubkey: string;
  documentType: string;
  atmPubkey: string;
}

/** Which of these events of an address a run has sealed. */
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

/** Types of which runs have published documents under a key. */
export async function publishedTypes(db: Queryable, operatorPubkey: string): Promise<string[]> {
  const rows = await db.query<{ type: string }>(
    `SELECT DISTINCT document_type AS type FROM republish.documents
      WHERE operator_pubkey = $1 AND event_id IS NOT NULL ORDER BY 1`,
    [operatorPubkey],
  );
  return rows.map(({ type }) => type);
}

/** Every document of a run, in the order of document type and machine. */
export function documentsOfRun(db: Queryable, runId: string): Promise<DocumentRow[]> {
  return db.query<DocumentRow>(
    `SELECT ${COLUMNS} FROM republish.documents WHERE run_id = $1 ORDER BY document_type, machine_id COLLATE "C"`,
    [runId],
  );
}
