import { RepublishError, typesWith } from '../../contract/failures';
import type { GoodOutcome, Outcome } from '../../contract/progress';
import type { Queryable, Writable } from '../connection';
import {
  columnsOf,
  type DocumentKey,
  IS_ASKED,
  keysOf,
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
  /** The signature of an earlier run: the seal is then a reused one. Null: the event is not signed yet. */
  signature: string | null;
  /** Id of a reused event that relays refuse. It is the only seal that may be replaced, and only once. */
  replaces?: string | undefined;
  /**
   * The machine key that the content is encrypted to. The seal is not taken if the row has another key now.
   */
  atmPubkey?: string | undefined;
}

/**
 * The seal that the ledger has. It is the seal of another attempt if that attempt wrote first. A document
 * that has an outcome may have no seal.
 */
export type KeptSeal = { signature: string | null; reused: boolean } & (
  | { outcome: null; event: SealedEvent; stateFingerprint: string }
  | { outcome: Outcome; event: SealedEvent | null; stateFingerprint: string | null }
);

interface SealRow {
  machineId: string;
  eventId: string | null;
  /** Null also if it is the event of the caller, who has it already. */
  event: SealedEvent | null;
  stateFingerprint: string | null;
  signature: string | null;
  reused: boolean;
  resealed: boolean;
  outcome: Outcome | null;
}

/** @param callersId an SQL expression: the id of the caller's event */
const sealColumns = (callersId: string): string => `machine_id AS "machineId", event_id AS "eventId",
  CASE WHEN event_id = ${callersId} THEN NULL ELSE unsigned_event END AS event,
  state_fingerprint AS "stateFingerprint", signature, reused, resealed, outcome`;

/**
 * Seals a document by `republish.seal_document`. The first writer wins.
 *
 * @returns the seal that the ledger has now. Undefined: another run has sealed the address with the same or a
 *   later date, so this event would not be the newest
 * @throws RepublishError LedgerIncomplete: the ledger has no such document
 */
export async function sealDocument(
  db: Writable,
  key: DocumentKey,
  { event, stateFingerprint, signature, replaces, atmPubkey }: Seal,
): Promise<KeptSeal | undefined> {
  const [row] = await db.query<SealRow>(
    `SELECT ${sealColumns('$8')} FROM republish.seal_document($1, $2, $3, $4, $5, $6, $7, $9)`,
    [
      key.runId,
      key.documentType,
      key.machineId,
      JSON.stringify(event),
      stateFingerprint,
      signature,
      replaces ?? null,
      event.id,
      atmPubkey ?? null,
    ],
  );
  if (row === undefined) throw notInLedger(key);
  return keptSeal(row, event, replaces);
}

/** A signed event of an earlier run that a document of this run reuses. */
export type ReusedSeal = {
  machineId: string;
  event: SealedEvent;
  stateFingerprint: string;
  signature: string;
};

/**
 * Seals a batch of documents with events that earlier runs have signed, as `sealDocument` does. The statement
 * keeps the lock of each address until its end. It takes them in the order of the keys, so that two such
 * statements cannot wait for each other.
 *
 * @returns the seals by machine id, without the documents that another run has sealed with a later date
 */
export async function sealReused(
  db: Writable,
  { runId, documentType }: TypeOfRun,
  seals: readonly ReusedSeal[],
): Promise<Map<string, KeptSeal>> {
  const rows = await db.query<SealRow>(
    `SELECT ${sealColumns('asked.id')}
       FROM (SELECT asked.*
               FROM unnest(${keysOf('$3::text[]')}, $4::text[], $5::text[], $6::text[], $7::text[])
                      AS asked (run, type, machine, fingerprint, of_signature, id, of_event)
               LEFT JOIN republish.documents AS document ON ${IS_ASKED}
              ORDER BY atm_pubkey COLLATE "C", asked.machine COLLATE "C") AS asked,
            republish.seal_document($1, $2, asked.machine, asked.of_event::jsonb, asked.fingerprint,
                                    asked.of_signature, NULL, NULL)`,
    [
      runId,
      documentType,
      ...columnsOf(seals, 'machineId', 'stateFingerprint', 'signature'),
      seals.map(({ event }) => event.id),
      seals.map(({ event }) => JSON.stringify(event)),
    ],
  );
  const byMachine = new Map(rows.map((row) => [row.machineId, row]));
  return new Map(
    seals.flatMap(({ machineId, event }) => {
      const row = byMachine.get(machineId);
      if (row === undefined) throw notInLedger({ runId, documentType, machineId });
      const seal = keptSeal(row, event);
      return seal === undefined ? [] : [[machineId, seal] as const];
    }),
  );
}

function keptSeal(
  { eventId, event: otherEvent, resealed, ...row }: SealRow,
  callersEvent: SealedEvent,
  replaces?: string,
): KeptSeal | undefined {
  const { signature, reused, stateFingerprint, outcome } = row;
  const event = eventId === callersEvent.id ? callersEvent : otherEvent;
  if (outcome !== null) return { event, stateFingerprint, signature, reused, outcome };
  // An open document was not sealed, or its refused seal was not replaced: only a later seal of another run
  // prevents that.
  if (event === null) return undefined;
  if (eventId === replaces && reused && !resealed) return undefined;
  return { event, stateFingerprint: stateFingerprint ?? '', signature, reused, outcome };
}

function notInLedger({ documentType, machineId, runId }: DocumentKey): RepublishError {
  return new RepublishError(
    'LedgerIncomplete',
    `the ledger has no ${documentType} of machine ${machineId} in the run ${runId}: ` +
      'was the database put back to an earlier state?',
  );
}

export interface KeptSignature {
  signature: string | null;
  outcome: Outcome | null;
}

/**
 * Stores the signature of a sealed event by `republish.sign_document`. The first writer wins: two signatures
 * may both be valid, but all relays must get the same bytes. A document with an outcome does not change.
 *
 * @returns what the ledger has now. Undefined: the document is not, or no longer, sealed with this event
 */
export async function keepSignature(
  db: Writable,
  { runId, documentType, machineId }: DocumentKey,
  eventId: string,
  signature: string,
): Promise<KeptSignature | undefined> {
  const [kept] = await db.query<KeptSignature>(
    'SELECT signature, outcome FROM republish.sign_document($1, $2, $3, $4, $5)',
    [runId, documentType, machineId, eventId, signature],
  );
  return kept;
}

/** Sets `sent_at` of documents that were sent to the relays, or were found there. */
export async function noteSent(
  db: Writable,
  { runId, documentType }: TypeOfRun,
  machineIds: readonly string[],
): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document SET sent_at = now()
       FROM run, unnest(${keysOf('$3::text[]')}) AS asked (run, type, machine)
      WHERE ${IS_ASKED} AND sent_at IS NULL`,
    [runId, documentType, machineIds],
  );
}

export interface Settlement {
  machineId: string;
  /** The document's event, which stands or is superseded. */
  eventId: string;
  outcome: GoodOutcome;
  relays: Relays;
  supersededBy?: string | undefined;
}

/**
 * Settles documents with a good outcome. It is a fact, so any attempt may write it, and it also replaces
 * `failed`.
 *
 * @returns the outcome that each document has now, by machine id. Null: it is open, because its seal is
 *   another event
 */
export async function settleGood(
  db: Writable,
  { runId, documentType }: TypeOfRun,
  settlements: readonly Settlement[],
): Promise<Map<string, Outcome | null>> {
  const relays = settlements.map((settlement) => JSON.stringify(settlement.relays));
  const written = await db.query<{ machineId: string; outcome: Outcome }>(
    `WITH ${OPEN_RUN}
     UPDATE republish.documents AS document
        SET outcome = asked.outcome, relays = document.relays || asked.relays::jsonb,
            superseded_by = asked.superseded_by, sent_at = coalesce(sent_at, now()), settled_at = now(),
            ${NO_TROUBLE}
       FROM run, unnest(${keysOf('$3::text[]')}, $4::text[], $5::text[], $6::text[], $7::text[])
                   AS asked (run, type, machine, event, outcome, superseded_by, relays)
      WHERE ${IS_ASKED}
        -- Not "=": with it Postgres may choose the index documents_by_address and read it for the whole type.
        AND event_id IS NOT DISTINCT FROM asked.event
        -- The sweep writes these failures after all pages. Only a sweep or a person may change them.
        AND (document.outcome IS NULL
             OR document.outcome = 'failed' AND document.failure_type <> ALL ($8::text[]))
     RETURNING machine_id AS "machineId", document.outcome`,
    [
      runId,
      documentType,
      ...columnsOf(settlements, 'machineId', 'eventId', 'outcome', 'supersededBy'),
      relays,
      typesWith('sweep'),
    ],
  );
  const outcomes = new Map<string, Outcome | null>(written.map((row) => [row.machineId, row.outcome]));
  const others = settlements.map(({ machineId }) => machineId).filter((id) => !outcomes.has(id));
  if (others.length === 0) return outcomes;
  return new Map([...outcomes, ...(await outcomesOf(db, { runId, documentType }, others))]);
}

/**
 * A statement of its own, after the update: it sees what another attempt has settled while the update waited
 * for its locks.
 */
async function outcomesOf(
  db: Queryable,
  { runId, documentType }: TypeOfRun,
  machineIds: readonly string[],
): Promise<Map<string, Outcome | null>> {
  const rows = await db.query<{ machineId: string; outcome: Outcome | null }>(
    `SELECT machine_id AS "machineId", outcome
       FROM republish.documents AS document JOIN unnest(${keysOf('$3::text[]')}) AS asked (run, type, machine)
         ON ${IS_ASKED}`,
    [runId, documentType, machineIds],
  );
  return new Map(rows.map((row) => [row.machineId, row.outcome]));
}
