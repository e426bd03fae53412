import type { DocumentFailure } from '../contract/failures';
import type { FleetInput, OperatorEnd } from '../contract/fleet';
import type { Outcome, RunOutcome } from '../contract/progress';
import type { Queryable } from './connection';
import { utc } from './utc';

/** What the ledger says of a fleet beside its operators. Times: ISO 8601. */
export interface FleetRecord {
  runId: string;
  workflowId: string;
  request: Omit<FleetInput, 'operators'>;
  startedAt: string;
  /** It has its audit row: nothing of it goes on. */
  isAudited: boolean;
}

/** The fleet with this run id, or the newest one. */
export async function recordOfFleet(db: Queryable, runId?: string): Promise<FleetRecord | undefined> {
  const [row] = await db.query<FleetRecord>(
    `SELECT run_id AS "runId", workflow_id AS "workflowId", request, ${utc('started_at')} AS "startedAt",
            EXISTS (SELECT FROM republish.fleet_audit_log AS audit WHERE audit.run_id = fleets.run_id) AS "isAudited"
       FROM republish.fleets WHERE $1::text IS NULL OR run_id = $1 ORDER BY started_at DESC, run_id LIMIT 1`,
    [runId ?? null],
  );
  return row;
}

/** The fleet that began the run of an operator. */
export async function fleetOfRun(db: Queryable, operatorRunId: string): Promise<string | undefined> {
  const [row] = await db.query<{ runId: string }>(
    'SELECT run_id AS "runId" FROM republish.fleet_operators WHERE operator_run_id = $1 LIMIT 1',
    [operatorRunId],
  );
  return row?.runId;
}

/** An operator of a fleet. Times: ISO 8601. */
export interface ReportedOperator {
  operatorUserId: string;
  /** Key of the operator's own run; of one that goes on as far as the ledger knows it. */
  runId: string | null;
  operatorPubkey: string | null;
  /** Null: it goes on, or was not begun. */
  outcome: RunOutcome | null;
  failure: NonNullable<OperatorEnd['failure']> | null;
  endedAt: string | null;
  /** Documents by type, as the audit of the run has them; null: it has none. */
  counts: Record<string, Record<Outcome, number>> | null;
  /** Failed documents, at most `maxFailures` of `failed`. */
  failures: DocumentFailure[];
  failed: number;
}

/** Every operator of a fleet, in their order. */
export function reportedOperators(
  db: Queryable,
  { runId, maxFailures }: { runId: string; maxFailures: number },
): Promise<ReportedOperator[]> {
  return db.query<ReportedOperator>(
    `SELECT operator.operator_user_id AS "operatorUserId", coalesce(operator.operator_run_id, run.run_id) AS "runId", run.operator_pubkey AS "operatorPubkey",
            operator.outcome, audit.counts, ${utc('ended_at')} AS "endedAt",
            CASE WHEN failure_type IS NOT NULL
                 THEN json_build_object('type', failure_type, 'message', coalesce(failure_message, '')) END AS failure,
            coalesce(jsonb_array_length(audit.failures), 0) AS failed,
            coalesce((SELECT jsonb_agg(entry ORDER BY number)
                        FROM jsonb_array_elements(audit.failures) WITH ORDINALITY AS listed (entry, number)
                       WHERE number <= $2), '[]') AS failures
       FROM republish.fleet_operators AS operator
       JOIN republish.fleets AS fleet USING (run_id)
       LEFT JOIN LATERAL (
              SELECT begun.run_id, begun.operator_pubkey FROM republish.runs AS begun
               WHERE begun.operator_user_id = operator.operator_user_id
                 AND CASE WHEN operator.outcome IS NULL THEN begun.started_at >= fleet.started_at AND begun.closed_at IS NULL
                          ELSE begun.run_id = operator.operator_run_id END
               ORDER BY begun.started_at DESC LIMIT 1) AS run ON true
       LEFT JOIN republish.audit_log AS audit ON audit.run_id = run.run_id
      WHERE operator.run_id = $1 ORDER BY operator.operator_user_id`,
    [runId, maxFailures],
  );
}
