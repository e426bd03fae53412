import { RepublishError } from '../../contract/failures';
import type { GoodOutcome, Outcome } from '../../contract/progress';
import type { Writable } from '../connection';
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
  /** Of an event that an earlier run has signed: the seal is then a reused one. */
  signature: string | null;
  /** Id of the reused event that relays refuse: the one that may be sealed over, once. */
  replaces?: string | undefined;
  /**
   * The machine's key that it was encrypted for: a plan that has another one by now does not take the seal.
   */
  atmPubkey?: string | undefined;
}

/**
 * The seal that stands; it is another attempt's where that one was first. A document that has ended before
 * may have none.
 */
export type StandingSeal = { signature: string | null; reused: boolean } & (
  | { outcome: null; event: SealedEvent; stateFingerprint: string }
  | { outcome: Outcome; event: SealedEvent | null; stateFingerprint: string | null }
);

interface SealRow {
  machineId: string;
  eventId: string | null;
  /** Null where it is the one that was handed over, which need not come back. */
  event: SealedEvent | null;
  stateFingerprint: string | null;
  signature: string | null;
  reused: boolean;
  resealed: boolean;
  outcome: Outcome | null;
}

/** @param handedOver SQL: the id of the event that was handed over */
const sealColumns = (handedOver: string): string => `machine_id AS "machineId", event_id AS "eventId",
  CASE WHEN event_id = ${handedOver} THEN NULL ELSE unsigned_event END AS event, state_fingerprint AS "stateFingerprint", signature,
  reused, resealed, outcome`;

/**
 * Seals a document: first writer wins. Undefined: another run has sealed the address at the same or a later
 * date, so that this event would not be the newest.
 *
 * @throws RepublishError LedgerIncomplete: the ledger has no such document
 */
export async function sealDocument(
  db: Writable,
  key: DocumentKey,
  { event, stateFingerprint, signature, replaces, atmPubkey }: Seal,
): Promise<StandingSeal | undefined> {
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
  return standingSeal(row, event, replaces);
}

/** A signed event of an earlier run, for a document of this one. */
export type ReusedSeal = {
  machineId: string;
  event: SealedEvent;
  stateFingerprint: string;
  signature: string;
};

/**
 * Seals many documents with events that earlier runs have signed: see `sealDocument`. What another run has
 * sealed later is missing in the answer. Their addresses stay locked until all are sealed, and are locked in
 * one order.
 */
export async function sealReused(
  db: Writable,
  { runId, documentType }: TypeOfRun,
  seals: readonly ReusedSeal[],
): Promise<Map<string, StandingSeal>> {
  const rows = await db.query<SealRow>(
    `SELECT ${sealColumns('asked.id')}
       FROM (SELECT asked.*
               FROM unnest(${keysOf('$3::text[]')}, $4::text[], $5::text[], $6::text[], $7::text[])
                      AS asked (run, type, machine, fingerprint, of_signature, id, of_event)
               LEFT JOIN republish.documents AS document ON ${IS_ASKED}
              ORDER BY atm_pubkey COLLATE "C", asked.machine COLLATE "C") AS asked,
            republish.seal_document($1, $2, asked.machine, asked.of_event::jsonb, asked.fingerprint, asked.of_signature, NULL, NULL)`,
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
      const seal = standingSeal(row, event);
      return seal === undefined ? [] : [[machineId, seal] as const];
    }),
  );
}

function standingSeal(
  { eventId, event: another, resealed, ...row }: SealRow,
  handedOver: SealedEvent,
  replaces?: string,
): StandingSeal | undefined {
  const { signature, reused, stateFingerprint, outcome } = row;
  const event = eventId === handedOver.id ? handedOver : another;
  if (outcome !== null) return { event, stateFingerprint, signature, reused, outcome };
  // Nothing but a later seal of another run keeps an open document from its seal, or from the one exchange of
  // it.
  if (event === null) return undefined;
  if (eventId === replaces && reused && !resealed) return undefined;
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
 * Keeps the signature of a sealed event. First writer wins: both are valid, and relays must see the same
 * bytes. A document that has its outcome keeps what it has. Returns what stands; undefined: the document is
 * not sealed with this event, or not any more.
 */
export async function keepSignature(
  db: Writable,
  { runId, documentType, machineId }: DocumentKey,
  eventId: string,
  signature: string,
): Promise<Kept | undefined> {
  const [standing] = await db.query<Kept>(
    'SELECT signature, outcome FROM republish.sign_document($1, $2, $3, $4, $5)',
    [runId, documentType, machineId, eventId, signature],
  );
  return standing;
}

/** Notes that documents have been sent to the relays, or were found there. */
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
  /** What was seen to stand, or to be superseded. */
  eventId: string;
  outcome: GoodOutcome;
  relays: Relays;
  supersededBy?: string | undefined;
}

/**
 * Brings documents to a good outcome, whoever has seen it, also those that have failed before: what stands,
 * stands. Returns what each has now; null: it is open, since its seal is another one.
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
        SET outcome = asked.outcome, relays = document.relays || asked.relays::jsonb, superseded_by = asked.superseded_by,
            sent_at = coalesce(sent_at, now()), settled_at = now(), ${NO_TROUBLE}
       FROM run, unnest(${keysOf('$3::text[]')}, $4::text[], $5::text[], $6::text[], $7::text[])
                   AS asked (run, type, machine, event, outcome, superseded_by, relays)
      WHERE ${IS_ASKED}
        -- Not "=", which the index of what is sealed would fit: it would be read for the whole type.
        AND event_id IS NOT DISTINCT FROM asked.event
        -- What a sweep has said, after all pages, is undone by a sweep or a person alone.
        AND (document.outcome IS NULL
             OR document.outcome = 'failed' AND document.failure_type NOT IN ('DocumentLost', 'PlanOutdated', 'StateChanged'))
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
    `SELECT machine_id AS "machineId", outcome
       FROM republish.documents AS document JOIN unnest(${keysOf('$3::text[]')}) AS asked (run, type, machine)
         ON ${IS_ASKED}`,
    [runId, documentType, others],
  );
  for (const { machineId, outcome } of standing) outcomes.set(machineId, outcome);
  return outcomes;
}
