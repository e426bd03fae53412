import type { DocumentFailure } from '../../contract/failures';
import type { Queryable } from '../connection';
import type { DocumentRow } from './documents';

/** Notes why documents failed, where their attempts could not do it themselves. */
export async function noteFailures(db: Queryable, runId: string, failures: DocumentFailure[]): Promise<void> {
  await db.query(
    `UPDATE republish.documents AS document
        SET failure_type = failure.type, failure_message = failure.message
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS failure (document_type, machine_id, type, message)
      WHERE document.run_id = $1 AND document.document_type = failure.document_type
        AND document.machine_id = failure.machine_id AND document.outcome IS NULL`,
    [runId, ...columnsOf(failures)],
  );
}

/** As `unnest` takes them. */
function columnsOf(failures: DocumentFailure[]): string[][] {
  return [
    failures.map(({ documentType }) => documentType),
    failures.map(({ machineId }) => machineId),
    failures.map(({ type }) => type),
    failures.map(({ message }) => message),
  ];
}

/** Ends the documents that their activities failed for good, with the reason the workflow saw. */
export async function failDocuments(
  db: Queryable,
  runId: string,
  failures: DocumentFailure[],
): Promise<void> {
  await db.query(
    `UPDATE republish.documents AS document
        SET outcome = 'failed', failure_type = failure.type, failure_message = failure.message, settled_at = now()
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS failure (document_type, machine_id, type, message)
      WHERE document.run_id = $1 AND document.document_type = failure.document_type
        AND document.machine_id = failure.machine_id AND document.outcome IS NULL`,
    [runId, ...columnsOf(failures)],
  );
}

/**
 * Ends the documents that nobody brought to an outcome: with the reason of their last attempt; else as Interrupted when
 * they were begun, and as NotAttempted when not.
 */
export async function failUnsettledDocuments(
  db: Queryable,
  runId: string,
  messages: { Interrupted: string; NotAttempted: string },
): Promise<void> {
  await db.query(
    `UPDATE republish.documents
        SET outcome = 'failed', settled_at = now(),
            failure_type = COALESCE(failure_type, CASE WHEN attempts > 0 THEN 'Interrupted' ELSE 'NotAttempted' END),
            failure_message = COALESCE(failure_message, CASE WHEN attempts > 0 THEN $2 ELSE $3 END)
      WHERE run_id = $1 AND outcome IS NULL`,
    [runId, messages.Interrupted, messages.NotAttempted],
  );
}

/**
 * What the audit needs of every document of a run, in the order of document type and machine: no event, only its id, and of its
 * relays only those that do not hold it. A run may have tens of thousands, and all of them are here at once.
 */
export type OutcomeRow = Pick<
  DocumentRow,
  'documentType' | 'machineId' | 'outcome' | 'relays' | 'supersededBy' | 'failureType' | 'failureMessage'
> & { eventId: string | null };

export function outcomesOfRun(db: Queryable, runId: string): Promise<OutcomeRow[]> {
  return db.query<OutcomeRow>(
    `SELECT document_type AS "documentType", machine_id AS "machineId", outcome, event_id AS "eventId",
            COALESCE((SELECT jsonb_object_agg(relay, standing) FROM jsonb_each(relays) AS r (relay, standing)
                       WHERE standing ->> 'state' <> 'holds'), '{}') AS relays,
            superseded_by AS "supersededBy", failure_type AS "failureType", failure_message AS "failureMessage"
       FROM republish.documents WHERE run_id = $1 ORDER BY document_type, machine_id COLLATE "C"`,
    [runId],
  );
}
