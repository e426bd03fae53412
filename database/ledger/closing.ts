import type { Failure } from '../../contract/failures';
import type { Queryable, Writable } from '../connection';
import { freeText } from '../free-text';
import { MACHINE_NAME } from './counts';
import type { DocumentRow } from './documents';

/**
 * Locks a run for its close: whoever writes to it is waited for, and whoever comes later waits. Before
 * anything is read: what was read before could have changed.
 */
export async function lockRun(client: Writable, runId: string): Promise<void> {
  await client.query('SELECT FROM republish.runs WHERE run_id = $1 FOR UPDATE', [runId]);
}

/** From the end of this transaction on nothing that belongs to the run changes. */
export async function closeRun(client: Writable, runId: string): Promise<void> {
  await client.query('UPDATE republish.runs SET closed_at = now() WHERE run_id = $1 AND closed_at IS NULL', [
    runId,
  ]);
}

export interface Reasons {
  /** Why no further page was begun. */
  cause?: Failure | undefined;
  messages: { Interrupted: string; NotAttempted: string };
}

/**
 * Ends the documents that nobody brought to an outcome: with the reason of their last try; else with what
 * kept the run from them; else as Interrupted when they were sealed, and as NotAttempted when not. In the
 * name of whoever holds their pages.
 */
export async function failUnsettledDocuments(
  client: Writable,
  runId: string,
  { cause, messages }: Reasons,
): Promise<void> {
  const begun = 'document.event_id IS NOT NULL';
  await client.query(
    `UPDATE republish.documents AS document
        SET outcome = 'failed', settled_at = now(), written_by = page.holder,
            failure_type = coalesce(failure_type, $2, CASE WHEN ${begun} THEN 'Interrupted' ELSE 'NotAttempted' END),
            failure_message = CASE WHEN failure_type IS NOT NULL THEN failure_message
                                   ELSE coalesce($3, CASE WHEN ${begun} THEN $4 ELSE $5 END) END
       FROM republish.pages AS page
      WHERE document.run_id = $1 AND page.run_id = $1 AND page.page = document.page AND document.outcome IS NULL`,
    [runId, cause?.type ?? null, freeText(cause?.message), messages.Interrupted, messages.NotAttempted],
  );
}

/**
 * What the audit needs of every document of a run, in the order of document type and machine: no event, only
 * its id, and of its relays only those that do not hold it. A run may have tens of thousands, and all of them
 * are here at once.
 */
export type OutcomeRow = Pick<
  DocumentRow,
  | 'documentType'
  | 'machineId'
  | 'machineName'
  | 'outcome'
  | 'relays'
  | 'supersededBy'
  | 'failureType'
  | 'failureMessage'
> & { eventId: string | null };

export function outcomesOfRun(db: Queryable, runId: string): Promise<OutcomeRow[]> {
  return db.query<OutcomeRow>(
    `SELECT document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME}, outcome, event_id AS "eventId",
            COALESCE((SELECT jsonb_object_agg(relay, standing) FROM jsonb_each(relays) AS r (relay, standing)
                       WHERE standing ->> 'state' <> 'holds'), '{}') AS relays,
            superseded_by AS "supersededBy", failure_type AS "failureType", failure_message AS "failureMessage"
       FROM republish.documents WHERE run_id = $1 ORDER BY document_type, machine_id COLLATE "C"`,
    [runId],
  );
}
