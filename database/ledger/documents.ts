import type { Outcome } from '../../contract/progress';
import type { FailureType } from '../../contract/failures';
import type { RelayStanding } from '../../contract/relay-standing';
import type { Queryable } from '../connection';

/** Which row of the ledger: one per run, document type and machine. */
export interface DocumentKey {
  runId: string;
  documentType: string;
  machineId: string;
}

/** Unsigned Nostr event (NIP-01) whose id is known. `created_at` in seconds. */
export interface SealedEvent {
  id: string;
  pubkey: string;
  kind: number;
  created_at: number;
  tags: string[][];
  content: string;
}

export interface DocumentRow extends DocumentKey {
  number: number;
  machineName: string;
  atmPubkey: string | null;
  operatorPubkey: string;
  stateFingerprint: string | null;
  event: SealedEvent | null;
  signature: string | null;
  /** The event was signed in an earlier run for the same state. */
  reused: boolean;
  relays: Record<string, RelayStanding>;
  supersededBy: string | null;
  outcome: Outcome | null;
  failureType: FailureType | null;
  failureMessage: string | null;
}

/** A bigint would come as text; a double holds every number that a ledger can count to. */
export const NUMBER = 'number::float8 AS number';

/** Of `republish.documents`, as a DocumentRow has them. */
export const COLUMNS = `${NUMBER}, run_id AS "runId", document_type AS "documentType", machine_id AS "machineId",
  machine_name AS "machineName", atm_pubkey AS "atmPubkey", operator_pubkey AS "operatorPubkey",
  state_fingerprint AS "stateFingerprint", unsigned_event AS event, signature, reused, relays, superseded_by AS "supersededBy",
  outcome, failure_type AS "failureType", failure_message AS "failureMessage"`;

export interface PlannedDocument {
  documentType: string;
  machineId: string;
  machineName: string;
  atmPubkey: string | null;
  /** Set for documents that need no publishing (skipped) or cannot have it (failed). */
  outcome: 'skipped' | 'failed' | null;
  failureType: FailureType | null;
  failureMessage: string | null;
}

/** Writes a page of the plan. What is there already stays: the plan of a run is made once. */
export async function planDocuments(
  db: Queryable,
  run: { runId: string; operatorPubkey: string },
  documents: PlannedDocument[],
): Promise<void> {
  if (documents.length === 0) return;
  const column = <K extends keyof PlannedDocument>(key: K): PlannedDocument[K][] =>
    documents.map((row) => row[key]);
  await db.query(
    `INSERT INTO republish.documents (run_id, operator_pubkey, document_type, machine_id, machine_name, atm_pubkey,
                                      outcome, failure_type, failure_message, settled_at)
     SELECT $1, $2, type, machine, name, atm, outcome, failure, message, CASE WHEN outcome IS NULL THEN NULL ELSE now() END
       FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
         AS planned (type, machine, name, atm, outcome, failure, message)
     ON CONFLICT (run_id, document_type, machine_id) DO NOTHING`,
    [
      run.runId,
      run.operatorPubkey,
      column('documentType'),
      column('machineId'),
      column('machineName'),
      column('atmPubkey'),
      column('outcome'),
      column('failureType'),
      column('failureMessage'),
    ],
  );
}

/** The run's rows for a page of machines, in machine order. */
export function documentsOfMachines(
  db: Queryable,
  runId: string,
  machineIds: string[],
): Promise<DocumentRow[]> {
  return db.query<DocumentRow>(
    `SELECT ${COLUMNS} FROM republish.documents WHERE run_id = $1 AND machine_id COLLATE "C" = ANY ($2::text[])
      ORDER BY machine_id COLLATE "C", document_type COLLATE "C"`,
    [runId, machineIds],
  );
}

/** What a run has sealed for an address, as far as it matters to the next. */
export type EarlierSeal = Pick<DocumentRow, 'event' | 'signature' | 'stateFingerprint' | 'outcome'>;

const EARLIER_COLUMNS =
  'unsigned_event AS event, signature, state_fingerprint AS "stateFingerprint", outcome';

/**
 * The newest seal of an address by any other run, as SQL; each argument says in SQL which. Signed or not: an unsigned seal may have
 * become an event at the bunker, so nothing may be dated before it.
 */
export function newestSealOf(
  operatorPubkey: string,
  documentType: string,
  atmPubkey: string,
  runId: string,
): string {
  return `SELECT ${EARLIER_COLUMNS} FROM republish.documents AS seal
      WHERE seal.operator_pubkey = ${operatorPubkey} AND seal.document_type = ${documentType} AND seal.atm_pubkey = ${atmPubkey}
        AND seal.event_id IS NOT NULL AND seal.run_id <> ${runId}
      ORDER BY seal.created_at_s DESC, seal.event_id ASC LIMIT 1`;
}

/** Address of a document apart from its kind: whose it is, of which type, for which machine (by its key). */
export interface DocumentAddress {
  operatorPubkey: string;
  documentType: string;
  atmPubkey: string;
}

/** The newest event that any other run has sealed for an address, or undefined. */
export async function newestSeal(
  db: Queryable,
  address: DocumentAddress,
  exceptRunId: string,
): Promise<EarlierSeal | undefined> {
  const [row] = await db.query<EarlierSeal>(newestSealOf('$1', '$2', '$3', '$4'), [
    address.operatorPubkey,
    address.documentType,
    address.atmPubkey,
    exceptRunId,
  ]);
  return row;
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

/** What the newest seals of many addresses fingerprint, by `<type>:<atm pubkey>`; only signed ones. */
export async function newestFingerprints(
  db: Queryable,
  operatorPubkey: string,
  documentTypes: string[],
  atmPubkeys: string[],
): Promise<Map<string, string | null>> {
  const rows = await db.query<{ address: string; fingerprint: string | null }>(
    `SELECT DISTINCT ON (document_type, atm_pubkey) document_type || ':' || atm_pubkey AS address,
            CASE WHEN signature IS NULL THEN NULL ELSE state_fingerprint END AS fingerprint
       FROM republish.documents
      WHERE operator_pubkey = $1 AND document_type = ANY ($2::text[]) AND atm_pubkey = ANY ($3::text[]) AND event_id IS NOT NULL
      ORDER BY document_type, atm_pubkey, created_at_s DESC, event_id ASC`,
    [operatorPubkey, documentTypes, atmPubkeys],
  );
  return new Map(rows.map((row) => [row.address, row.fingerprint]));
}

/** Stores what each relay answered; answers of relays that are not named stay as they were. */
export async function recordRelays(
  db: Queryable,
  key: DocumentKey,
  relays: Record<string, RelayStanding>,
): Promise<void> {
  await db.query(
    `UPDATE republish.documents SET relays = relays || $4::jsonb WHERE run_id = $1 AND document_type = $2 AND machine_id = $3`,
    [key.runId, key.documentType, key.machineId, JSON.stringify(relays)],
  );
}

/** Notes why an attempt failed, for whoever looks at the ledger while the next one waits. */
export async function recordFailedAttempt(
  db: Queryable,
  key: DocumentKey,
  failure: { type: FailureType; message: string },
): Promise<void> {
  await db.query(
    `UPDATE republish.documents SET failure_type = $4, failure_message = $5
      WHERE run_id = $1 AND document_type = $2 AND machine_id = $3 AND outcome IS NULL`,
    [key.runId, key.documentType, key.machineId, failure.type, failure.message],
  );
}

/** Every document of a run, in the order of document type and machine. */
export function documentsOfRun(db: Queryable, runId: string): Promise<DocumentRow[]> {
  return db.query<DocumentRow>(
    `SELECT ${COLUMNS} FROM republish.documents WHERE run_id = $1 ORDER BY document_type, machine_id COLLATE "C"`,
    [runId],
  );
}
