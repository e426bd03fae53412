import type { RunReference } from '../../contract/activities';
import { type FailureType, RepublishError } from '../../contract/failures';
import type { Outcome } from '../../contract/progress';
import type { Queryable } from '../connection';
import {
  columnsOf,
  type DocumentRow,
  GOOD,
  type GoodOutcome,
  type Relays,
  type SealedEvent,
} from './documents';

/** Begins a sweep; from now on earlier ones say of no document that it is lost. Returns its number. */
export async function beginSweep(db: Queryable, runId: string): Promise<number> {
  const [row] = await db.query<{ sweep: number }>(
    `UPDATE republish.runs SET sweeps = sweeps + 1 WHERE run_id = $1 AND closed_at IS NULL RETURNING sweeps AS sweep`,
    [runId],
  );
  if (row !== undefined) return row.sweep;
  throw new RepublishError('NotAttempted', 'the run was closed before this sweep began');
}

/** A signed document, whatever became of it. */
export interface SweptDocument extends Pick<
  DocumentRow,
  'page' | 'documentType' | 'machineId' | 'atmPubkey' | 'operatorPubkey' | 'outcome' | 'reused'
> {
  stateFingerprint: string;
  event: SealedEvent;
  signature: string;
  /** A relay did not have it when it was settled. */
  lagging: boolean;
}

/** Documents that are signed, in the order of page and machine id. */
export function signedDocuments(
  db: Queryable,
  runId: string,
  after: { page: number; machineId: string } | undefined,
  limit: number,
): Promise<SweptDocument[]> {
  return db.query<SweptDocument>(
    `SELECT page, document_type AS "documentType", machine_id AS "machineId", atm_pubkey AS "atmPubkey",
            operator_pubkey AS "operatorPubkey", state_fingerprint AS "stateFingerprint", unsigned_event AS event, signature,
            outcome, reused,
            EXISTS (SELECT FROM jsonb_each(relays) AS of_relay (relay, standing) WHERE standing ->> 'state' <> 'holds') AS lagging
       FROM republish.documents
      WHERE run_id = $1 AND signature IS NOT NULL AND (page, machine_id COLLATE "C") > ($2, $3::text)
      ORDER BY page, machine_id COLLATE "C" LIMIT $4`,
    [runId, after?.page ?? -1, after?.machineId ?? '', limit],
  );
}

export interface Sweep extends RunReference {
  /** Its number, see `beginSweep`. */
  sweep: number;
}

export interface Swept {
  documentType: string;
  machineId: string;
  eventId: string;
  /** `failed`: it does not stand, or is not what should; a good one: it stands, or a newer one does. */
  outcome: Extract<Outcome, 'failed'> | GoodOutcome;
  /** Of `failed`. */
  type?: FailureType | undefined;
  message?: string | undefined;
  relays?: Relays | undefined;
  supersededBy?: string | undefined;
}

/**
 * The run, locked before its documents (see OPEN_RUN). Whether the sweep $2 is still the newest is looked at behind the lock: a newer
 * one waits for it, or is seen.
 */
const SWEPT_RUN = `run AS (SELECT run_id, sweeps = $2 AS is_newest FROM republish.runs
                            WHERE run_id = $1 AND closed_at IS NULL FOR SHARE)`;

/** What a sweep may make of a document; anything else stays as it is. */
const MAY_BECOME = `CASE asked.outcome
  WHEN 'failed' THEN document.outcome IN ${GOOD} AND run.is_newest
  WHEN 'superseded' THEN document.outcome = 'failed' OR document.outcome IN ${GOOD}
  ELSE document.outcome IN ('failed', 'published', 'unchanged') END`;

/** Writes what a sweep has found. What stood already, and stands, keeps its outcome, with the newest answers of the relays. */
export async function settleSwept(
  db: Queryable,
  { runId, sweep }: Sweep,
  found: readonly Swept[],
): Promise<void> {
  await db.query(
    `WITH ${SWEPT_RUN}
     UPDATE republish.documents AS document
        SET outcome = CASE WHEN asked.outcome IN ('published', 'unchanged') AND document.outcome <> 'failed'
                           THEN document.outcome ELSE asked.outcome END,
            failure_type = CASE WHEN asked.outcome = 'failed' THEN asked.type END,
            failure_message = CASE WHEN asked.outcome = 'failed' THEN asked.message END,
            superseded_by = asked.superseded_by, relays = document.relays || asked.relays::jsonb,
            written_by = $2, settled_at = now(), tries = 0, trouble_since = NULL
       FROM run, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
                   AS asked (doc_type, machine, event, outcome, type, message, superseded_by, relays)
      WHERE document.run_id = run.run_id AND document_type = asked.doc_type AND machine_id = asked.machine
        AND event_id = asked.event AND ${MAY_BECOME}`,
    [
      runId,
      sweep,
      ...columnsOf(
        found,
        'documentType',
        'machineId',
        'eventId',
        'outcome',
        'type',
        'message',
        'supersededBy',
      ),
      found.map(({ relays }) => JSON.stringify(relays ?? {})),
    ],
  );
}

/** Says of documents that somebody gave up that they stand on relays after all. */
export async function noteStandingSkipped(
  db: Queryable,
  { runId, sweep }: Sweep,
  found: readonly { documentType: string; machineId: string; message: string }[],
): Promise<void> {
  await db.query(
    `WITH ${SWEPT_RUN}
     UPDATE republish.documents AS document SET failure_message = concat_ws('; ', failure_message, asked.message)
       FROM run, unnest($3::text[], $4::text[], $5::text[]) AS asked (doc_type, machine, message)
      WHERE document.run_id = run.run_id AND run.is_newest AND document_type = asked.doc_type AND machine_id = asked.machine
        AND outcome = 'skipped' AND position(asked.message IN coalesce(failure_message, '')) = 0`,
    [runId, sweep, ...columnsOf(found, 'documentType', 'machineId', 'message')],
  );
}
