import type { RunReference } from '../../contract/activities';
import { type FailureType, RepublishError } from '../../contract/failures';
import type { GoodOutcome, Outcome } from '../../contract/progress';
import type { Queryable, Writable } from '../connection';
import { MACHINE_NAME } from './counts';
import { columnsOf, type DocumentRow, GOOD, IS_ASKED, type Relays, type SealedEvent } from './documents';

/**
 * Begins a sweep: raises `runs.sweeps`. After that an earlier sweep that is still running cannot write that a
 * document is lost.
 *
 * @returns the number of the sweep
 * @throws RepublishError NotAttempted: the run is closed
 */
export async function beginSweep(db: Writable, runId: string): Promise<number> {
  const [row] = await db.query<{ sweep: number }>(
    `UPDATE republish.runs SET sweeps = sweeps + 1
      WHERE run_id = $1 AND closed_at IS NULL RETURNING sweeps AS sweep`,
    [runId],
  );
  if (row !== undefined) return row.sweep;
  throw new RepublishError('NotAttempted', 'the run was closed before this sweep began');
}

/** A signed document with any outcome. */
export interface SweptDocument extends Pick<
  DocumentRow,
  | 'page'
  | 'documentType'
  | 'machineId'
  | 'machineName'
  | 'atmPubkey'
  | 'operatorPubkey'
  | 'outcome'
  | 'reused'
> {
  stateFingerprint: string;
  event: SealedEvent;
  signature: string;
  failureType: FailureType | null;
  /** A relay did not hold it when it was settled. */
  lagging: boolean;
}

/**
 * The next signed documents of a run after `after`, in the order of page and machine id.
 *
 * Postgres cannot estimate how many documents are signed, and may sort the whole run for each call. With
 * LATERAL it reads one page after the other and stops at the limit. The order is the order of that nested
 * loop.
 */
export function signedDocuments(
  db: Queryable,
  runId: string,
  after: { page: number; machineId: string } | undefined,
  limit: number,
): Promise<SweptDocument[]> {
  return db.query<SweptDocument>(
    `SELECT document.*
       FROM (SELECT page FROM republish.pages WHERE run_id = $1 AND page >= $2 ORDER BY page) AS of_run,
       LATERAL (
         SELECT page, document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME},
                atm_pubkey AS "atmPubkey", operator_pubkey AS "operatorPubkey",
                state_fingerprint AS "stateFingerprint", unsigned_event AS event, signature, outcome, reused,
                failure_type AS "failureType",
                EXISTS (SELECT FROM jsonb_each(relays) AS of_relay (relay, standing)
                         WHERE standing ->> 'state' <> 'holds') AS lagging
           FROM republish.documents AS document
          WHERE run_id = $1 AND document.page = of_run.page AND signature IS NOT NULL
            AND (document.page > $2 OR machine_id COLLATE "C" > $3::text)
          ORDER BY machine_id COLLATE "C" OFFSET 0) AS document
     LIMIT $4`,
    [runId, after?.page ?? -1, after?.machineId ?? '', limit],
  );
}

export interface Sweep extends RunReference {
  /** The number from `beginSweep`. */
  sweep: number;
}

/** What a sweep found about one document. */
export interface Swept {
  documentType: string;
  machineId: string;
  eventId: string;
  /**
   * `failed`: the event does not stand, or it is no longer what should stand. A good outcome: the event or a
   * newer one stands.
   */
  outcome: Extract<Outcome, 'failed'> | GoodOutcome;
  /** The failure. Only with `failed`. */
  type?: FailureType | undefined;
  message?: string | undefined;
  relays?: Relays | undefined;
  supersededBy?: string | undefined;
}

/**
 * `run`, for the WITH of a statement: the open run, locked before its documents (see OPEN_RUN), and whether
 * the sweep $2 is the newest. FOR SHARE conflicts with `beginSweep`: a newer sweep waits for this statement,
 * or this statement sees it.
 */
const SWEPT_RUN = `run AS (SELECT run_id, sweeps = $2 AS is_newest FROM republish.runs
                            WHERE run_id = $1 AND closed_at IS NULL FOR SHARE)`;

/** The outcomes that a sweep may change, and into which. Only the newest sweep may fail a good outcome. */
const MAY_BECOME = `CASE asked.outcome
  WHEN 'failed' THEN document.outcome IN ${GOOD} AND run.is_newest
  WHEN 'superseded'
  THEN document.outcome IS NULL OR document.outcome = 'failed' OR document.outcome IN ${GOOD}
  ELSE document.outcome IS NULL OR document.outcome IN ('failed', 'published', 'unchanged') END`;

/**
 * Writes what a sweep has found. A document that is `published` or `unchanged` and still stands keeps its
 * outcome and gets the newest answers of the relays.
 */
export async function settleSwept(
  db: Writable,
  { runId, sweep }: Sweep,
  found: readonly Swept[],
): Promise<void> {
  await db.query(
    `WITH ${SWEPT_RUN}
     UPDATE republish.documents AS document
        SET outcome = CASE WHEN asked.outcome IN ('published', 'unchanged')
                                AND document.outcome IN ('published', 'unchanged')
                           THEN document.outcome ELSE asked.outcome END,
            failure_type = CASE WHEN asked.outcome = 'failed' THEN asked.failure END,
            failure_message = CASE WHEN asked.outcome = 'failed' THEN asked.message END,
            superseded_by = asked.superseded_by, relays = document.relays || asked.relays::jsonb,
            sent_at = CASE WHEN asked.outcome = 'failed' THEN sent_at ELSE coalesce(sent_at, now()) END,
            written_by = $2, settled_at = now(), tries = 0, trouble_since = NULL
       FROM run, unnest(array_fill($1::text, ARRAY[cardinality($4::text[])]), $3::text[], $4::text[],
                        $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
                   AS asked (run, type, machine, event, outcome, failure, message, superseded_by, relays)
      WHERE ${IS_ASKED}
        AND event_id IS NOT DISTINCT FROM asked.event AND ${MAY_BECOME}`,
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

/** Adds to the message of skipped documents that they stand on relays after all. */
export async function noteStandingSkipped(
  db: Writable,
  { runId, sweep }: Sweep,
  found: readonly { documentType: string; machineId: string; message: string }[],
): Promise<void> {
  await db.query(
    `WITH ${SWEPT_RUN}
     UPDATE republish.documents AS document
        SET failure_message = concat_ws('; ', failure_message, asked.message)
       FROM run, unnest(array_fill($1::text, ARRAY[cardinality($4::text[])]), $3::text[], $4::text[],
                        $5::text[])
                   AS asked (run, type, machine, message)
      WHERE ${IS_ASKED} AND run.is_newest
        AND outcome = 'skipped' AND position(asked.message IN coalesce(failure_message, '')) = 0`,
    [runId, sweep, ...columnsOf(found, 'documentType', 'machineId', 'message')],
  );
}
