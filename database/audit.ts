import type { Intervention } from '../contract/control';
import type { DocumentFailure, Failure } from '../contract/failures';
import type { Outcome, RunOutcome } from '../contract/progress';
import type { RepublishResult } from '../contract/input';
import type { RelayStanding } from '../contract/relay-standing';
import type { Queryable } from './connection';
import { textWriterOf } from './free-text';

/** One row of `republish.audit_log`: what a run published, and what it could not. */
export interface AuditRow {
  runId: string;
  workflowId: string;
  operatorUserId: string;
  operatorPubkey: string | null;
  outcome: RunOutcome;
  events: RepublishResult;
  counts: Record<string, Record<Outcome, number>>;
  failures: DocumentFailure[];
  /** Machines that have no state of a type; with a reason: documents that somebody gave up. */
  skipped: { documentType: string; machineId: string; reason?: string }[];
  superseded: { documentType: string; machineId: string; eventId: string; supersededBy: string }[];
  laggards: ({ documentType: string; machineId: string; relay: string } & RelayStanding)[];
  failure: Failure | null;
  /**
   * All documents were looked at once more at the end: what is said to stand stood then. Not after a cancel.
   */
  swept: boolean;
  reason: string | null;
  /** What people asked of the run while it went on, in that order. */
  interventions: Intervention[];
}

export interface WrittenAuditRow extends AuditRow {
  /** ISO 8601. */
  writtenAt: string;
}

const COLUMNS = `run_id AS "runId", workflow_id AS "workflowId", operator_user_id AS "operatorUserId",
  operator_pubkey AS "operatorPubkey", outcome, events, counts, failures, skipped, superseded, laggards, failure, swept, reason, interventions,
  to_char(written_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "writtenAt"`;

/** Appends the audit row of a run, unless it is there: exactly one row per run, whatever is retried. */
export async function appendAudit(db: Queryable, row: AuditRow): Promise<void> {
  const write = await textWriterOf(db);
  await db.query(
    `INSERT INTO republish.audit_log (run_id, workflow_id, operator_user_id, operator_pubkey, outcome, events, counts,
                                      failures, skipped, superseded, laggards, failure, swept, reason, interventions)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     ON CONFLICT (run_id) DO NOTHING`,
    [
      row.runId,
      row.workflowId,
      row.operatorUserId,
      row.operatorPubkey,
      row.outcome,
      write.json(row.events),
      write.json(row.counts),
      write.json(row.failures),
      write.json(row.skipped),
      write.json(row.superseded),
      write.json(row.laggards),
      row.failure === null ? null : write.json(row.failure),
      row.swept,
      write.text(row.reason),
      write.json(row.interventions),
    ],
  );
}

export async function auditOfRun(db: Queryable, runId: string): Promise<WrittenAuditRow | undefined> {
  const [row] = await db.query<WrittenAuditRow>(
    `SELECT ${COLUMNS} FROM republish.audit_log WHERE run_id = $1`,
    [runId],
  );
  return row;
}

/** Runs of an operator without an audit row, newest first: they go on, or somebody terminated them. */
export function unauditedRuns(
  db: Queryable,
  operatorUserId: string,
): Promise<{ runId: string; workflowId: string; startedAt: string }[]> {
  return db.query(
    `SELECT run_id AS "runId", workflow_id AS "workflowId",
            to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "startedAt"
       FROM republish.runs WHERE operator_user_id = $1
        AND NOT EXISTS (SELECT 1 FROM republish.audit_log WHERE audit_log.run_id = runs.run_id)
      ORDER BY started_at DESC LIMIT 5`,
    [operatorUserId],
  );
}

/** Newest first. */
export function auditsOfOperator(
  db: Queryable,
  operatorUserId: string,
  limit: number,
): Promise<WrittenAuditRow[]> {
  return db.query<WrittenAuditRow>(
    `SELECT ${COLUMNS} FROM republish.audit_log WHERE operator_user_id = $1 ORDER BY id DESC LIMIT $2`,
    [operatorUserId, limit],
  );
}
