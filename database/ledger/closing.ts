import type { Failure } from '../../contract/failures';
import type { Queryable, Writable } from '../connection';
import { freeText } from '../free-text';
import { MACHINE_NAME } from './counts';
import type { DocumentRow } from './documents';

/**
 * Locks the row of a run for its close. It waits for writers, which lock the row FOR KEY SHARE, and later
 * writers wait for the close. The caller does this before it reads: a fact that was read earlier may have
 * changed.
 */
export async function lockRun(client: Writable, runId: string): Promise<void> {
  await client.query('SELECT FROM republish.runs WHERE run_id = $1 FOR UPDATE', [runId]);
}

/** Sets `closed_at`. After the commit the triggers refuse every change to the rows of the run. */
export async function closeRun(client: Writable, runId: string): Promise<void> {
  await client.query('UPDATE republish.runs SET closed_at = now() WHERE run_id = $1 AND closed_at IS NULL', [
    runId,
  ]);
}

/** The failures of documents that are still open when a run ends. */
export interface Reasons {
  /** The shared cause, because of which the run began no further page. */
  cause?: Failure | undefined;
  /** The failure of a sealed document. */
  begun: Failure;
  /** The failure of a document without a seal. */
  notBegun: Failure;
}

/**
 * Settles every open document of a run as failed, with the first of these that there is: the failure of its
 * last try; the shared cause; `begun` if it was sealed, else `notBegun`. `written_by` is the holder
 * of its page, because the trigger `keep_rules` accepts a failure from nobody else.
 */
export async function failUnsettledDocuments(
  client: Writable,
  runId: string,
  { cause, begun, notBegun }: Reasons,
): Promise<void> {
  const isSealed = 'document.event_id IS NOT NULL';
  await client.query(
    `UPDATE republish.documents AS document
        SET outcome = 'failed', settled_at = now(), written_by = page.holder,
            failure_type = coalesce(failure_type, $2, CASE WHEN ${isSealed} THEN $4 ELSE $5 END),
            failure_message = CASE WHEN failure_type IS NOT NULL THEN failure_message
                                   ELSE coalesce($3, CASE WHEN ${isSealed} THEN $6 ELSE $7 END) END
       FROM republish.pages AS page
      WHERE document.run_id = $1 AND page.run_id = $1 AND page.page = document.page
        AND document.outcome IS NULL`,
    [
      runId,
      cause?.type ?? null,
      freeText(cause?.message),
      begun.type,
      notBegun.type,
      begun.message,
      notBegun.message,
    ],
  );
}

/**
 * What the audit row needs of a document. All documents of a run, maybe tens of thousands, are in memory at
 * the same time. So it has the event id instead of the event, and only the relays that do not hold the
 * document.
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

/** Every document of a run, in the order of document type and machine id. */
export function outcomesOfRun(db: Queryable, runId: string): Promise<OutcomeRow[]> {
  return db.query<OutcomeRow>(
    `SELECT document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME}, outcome,
            event_id AS "eventId",
            coalesce((SELECT jsonb_object_agg(relay, standing) FROM jsonb_each(relays) AS r (relay, standing)
                       WHERE standing ->> 'state' <> 'holds'), '{}') AS relays,
            superseded_by AS "supersededBy", failure_type AS "failureType",
            failure_message AS "failureMessage"
       FROM republish.documents WHERE run_id = $1 ORDER BY document_type, machine_id COLLATE "C"`,
    [runId],
  );
}
