import { RepublishError } from '../../contract/failures';
import type { Outcome } from '../../contract/progress';
import type { Queryable } from '../connection';
import {
  columnsOf,
  type DocumentKey,
  type GoodOutcome,
  NO_TROUBLE,
  OPEN_RUN,
  type Relays,
  type SealedEvent,
} from './documents';

/** The documents of one type of a run. */
export type TypeOfRun = Pick<DocumentKey, 'runId' | 'documentType'>;

export interface Seal {
  event: SealedEvent;
  stateFingerprint: string;
  /** Of an event that an earlier run has signed: the seal is then a reused one. */
  signature: string | null;
  /** Id of the reused event that relays refuse: the one that may be sealed over, once. */
  replaces?: string | undefined;
}

/** The seal that stands; it is another attempt's where that one was first. A document that has ended before may have none. */
export type StandingSeal = { signature: string | null; reused: boolean } & (
  | { outcome: null; event: SealedEvent; stateFingerprint: string }
  | { outcome: Outcome; event: SealedEvent | null; stateFingerprint: string | null }
);

interface SealRow {
  machineId: string;
  event: SealedEvent | null;
  stateFingerprint: string | null;
  signature: string | null;
  reused: boolean;
  resealed: boolean;
  outcome: Outcome | null;
}

const SEAL_COLUMNS = `machine_id AS "machineId", unsigned_event AS event, state_fingerprint AS "stateFingerprint", signature, reused,
  resealed, outcome`;

/**
 * Seals a document: first writer wins. Undefined: another run has sealed the address at the same or a later date, so that this event
 * would not be the newest.
 *
 * @throws RepublishError LedgerIncomplete: the ledger has no such document
 */
export async function sealDocument(
  db: Queryable,
  key: DocumentKey,
  { event, stateFingerprint, signature, replaces }: Seal,
): Promise<StandingSeal | undefined> {
  const [row] = await db.query<SealRow>(
    `SELECT ${SEAL_COLUMNS} FROM republish.seal_document($1, $2, $3, $4, $5, $6, $7)`,
    [
      key.runId,
      key.documentType,
      key.machineId,
      JSON.stringify(event),
      stateFingerprint,
      signature,
      replaces ?? null,
    ],
  );
  if (row === undefined) throw notInLedger(key);
  return standingSeal(row, replaces);
}

/** A signed event of an earlier run, for a document of this one. */
export type ReusedSeal = {
  machineId: string;
  event: SealedEvent;
  stateFingerprint: string;
  signature: string;
};

/**
 * Seals many documents with events that earlier runs have signed: see `sealDocument`. What another run has sealed later is missing in
 * the answer. Their addresses stay locked until all are sealed, and are locked in one order.
 */
export async function sealReused(
  db: Queryable,
  { runId, documentType }: TypeOfRun,
  seals: readonly ReusedSeal[],
): Promise<Map<string, StandingSeal>> {
  const events = seals.map(({ event }) => JSON.stringify(event));
  const rows = await db.query<SealRow>(
    `SELECT ${SEAL_COLUMNS}
       FROM (SELECT asked.* FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS asked (machine, of_event, fingerprint, of_signature)
               LEFT JOIN republish.documents ON run_id = $1 AND document_type = $2 AND machine_id = asked.machine
              ORDER BY atm_pubkey COLLATE "C", asked.machine COLLATE "C") AS asked,
            republish.seal_document($1, $2, asked.machine, asked.of_event::jsonb, asked.fingerprint, asked.of_signature, NULL)`,
    [
      runId,
      documentType,
      ...columnsOf(seals, 'machineId'),
      events,
      ...columnsOf(seals, 'stateFingerprint', 'signature'),
    ],
  );
  const byMachine = new Map(rows.map((row) => [row.machineId, row]));
  return new Map(
    seals.flatMap(({ machineId }) => {
      const row = byMachine.get(machineId);
      if (row === undefined) throw notInLedger({ runId, documentType, machineId });
      const seal = standingSeal(row);
      return seal === undefined ? [] : [[machineId, seal] as const];
    }),
  );
}

function standingSeal(
  { event, stateFingerprint, signature, reused, resealed, outcome }: SealRow,
  replaces?: string,
): StandingSeal | undefined {
  if (outcome !== null) return { event, stateFingerprint, signature, reused, outcome };
  // Nothing but a later seal of another run keeps an open document from its seal, or from the one exchange of it.
  if (event === null) return undefined;
  if (event.id === replaces && reused && !resealed) return undefined;
  return { event, stateFingerprint: stateFingerprint ?? '', signature, reused, outcome };
}

function notInLedger({ documentType, machineId, runId }: DocumentKey): RepublishError {
  return new RepublishError(
    'LedgerIncomplete',
    `the ledger has no ${documentType} of machine ${machineId} in the run ${runId}: was the database put back to an earlier state?`,
  );
}

/** What stands of a document. */
export interface Kept {
  signature: string | null;
  outcome: Outcome | null;
}

/**
 * Keeps the signature of a sealed event. First writer wins: both are valid, and relays must see the same bytes. A document that has its
 * outcome keeps what it has. Returns what stands; undefined: the document is not sealed with this event, or not any more.
 */
export async function keepSignature(
  db: Queryable,
  { runId, documentType, machineId }: DocumentKey,
  eventId: string,
  signature: string,
): Promise<Kept | undefined> {
  const key = [runId, documentType, machineId, eventId];
  const [written] = await db.query<Kept>(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document SET signature = $5, signed_at = now(), ${NO_TROUBLE}
       FROM run WHERE document.run_id = run.run_id AND document_type = $2 AND machine_id = $3 AND event_id = $4
        AND signature IS NULL AND outcome IS NULL
     RETURNING signature, outcome`,
    [...key, signature],
  );
  if (written !== undefined) return written;
  const [standing] = await db.query<Kept>(
    `SELECT signature, outcome FROM republish.documents
      WHERE run_id = $1 AND document_type = $2 AND machine_id = $3 AND event_id = $4`,
    key,
  );
  return standing;
}

/** Notes that documents have been sent to the relays, or were found there. */
export async function noteSent(
  db: Queryable,
  { runId, documentType }: TypeOfRun,
  machineIds: readonly string[],
): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document SET sent_at = now()
       FROM run WHERE document.run_id = run.run_id AND document_type = $2 AND machine_id = ANY ($3::text[]) AND sent_at IS NULL`,
    [runId, documentType, machineIds],
  );
}

export interface Settlement {
  machineId: string;
  /** What was seen to stand, or to be superseded. */
  eventId: string;
  outcome: GoodOutcome;
  relays: Relays;
  supersededBy?: string | undefined;
}

/**
 * Brings documents to a good outcome, whoever has seen it, also those that have failed before: what stands, stands. Returns what each
 * has now; null: it is open, since its seal is another one.
 */
export async function settleGood(
  db: Queryable,
  { runId, documentType }: TypeOfRun,
  settlements: readonly Settlement[],
): Promise<Map<string, Outcome | null>> {
  const relays = settlements.map((settlement) => JSON.stringify(settlement.relays));
  const written = await db.query<{ machineId: string; outcome: Outcome }>(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document
        SET outcome = asked.outcome, relays = document.relays || asked.relays::jsonb, superseded_by = asked.superseded_by,
            sent_at = coalesce(sent_at, now()), settled_at = now(), ${NO_TROUBLE}
       FROM run, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
                   AS asked (machine, event, outcome, superseded_by, relays)
      WHERE document.run_id = run.run_id AND document_type = $2 AND machine_id = asked.machine AND event_id = asked.event
        AND (document.outcome IS NULL OR document.outcome = 'failed')
     RETURNING machine_id AS "machineId", document.outcome`,
    [
      runId,
      documentType,
      ...columnsOf(settlements, 'machineId', 'eventId', 'outcome', 'supersededBy'),
      relays,
    ],
  );
  const outcomes = new Map<string, Outcome | null>(written.map((row) => [row.machineId, row.outcome]));
  const others = settlements.map(({ machineId }) => machineId).filter((id) => !outcomes.has(id));
  if (others.length === 0) return outcomes;
  // In a statement of its own: what another has settled while this one waited for it is to be seen.
  const standing = await db.query<{ machineId: string; outcome: Outcome | null }>(
    `SELECT machine_id AS "machineId", outcome FROM republish.documents
      WHERE run_id = $1 AND document_type = $2 AND machine_id = ANY ($3::text[])`,
    [runId, documentType, others],
  );
  for (const { machineId, outcome } of standing) outcomes.set(machineId, outcome);
  return outcomes;
}
