import type { DocumentFailure } from '../contract/failures';
import type { FleetInput, OperatorEnd } from '../contract/fleet';
import type { OutcomeCounts, RunOutcome } from '../contract/progress';
import type { Queryable } from './connection';
import { utc } from './utc';

/** One row of `republish.fleets`. Times: ISO 8601. */
export interface FleetRecord {
  runId: string;
  workflowId: string;
  request: Omit<FleetInput, 'operators'>;
  startedAt: string;
  /** The fleet has its audit row in `republish.fleet_audit_log`: it has ended. */
  isAudited: boolean;
}

/** The fleet with this run id; without one, the newest fleet. */
export async function recordOfFleet(db: Queryable, runId?: string): Promise<FleetRecord | undefined> {
  const [row] = await db.query<FleetRecord>(
    `SELECT run_id AS "runId", workflow_id AS "workflowId", request, ${utc('started_at')} AS "startedAt",
            EXISTS (SELECT FROM republish.fleet_audit_log AS audit
                     WHERE audit.run_id = fleets.run_id) AS "isAudited"
       FROM republish.fleets WHERE $1::text IS NULL OR run_id = $1 ORDER BY started_at DESC, run_id LIMIT 1`,
    [runId ?? null],
  );
  return row;
}

/** Run id of the fleet that started this run of an operator, from `republish.fleet_operators`. */
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
  /** Run id of the operator's own run. Null: it was not started, or the ledger does not have it yet. */
  runId: string | null;
  operatorPubkey: string | null;
  /** Null: the run is running, or was not started. */
  outcome: RunOutcome | null;
  failure: NonNullable<OperatorEnd['failure']> | null;
  endedAt: string | null;
  /** Documents by document type and outcome, from the run's audit row. Null: there is no audit row. */
  counts: Record<string, OutcomeCounts> | null;
  /** Failed documents, at most `maxFailures` of them. */
  failures: DocumentFailure[];
  /** How many documents failed. */
  failed: number;
}

/**
 * Every operator of a fleet in the order of the ids. The run of an operator without an outcome is found by
 * its start: the newest open run since the fleet began. A run that continued when the fleet was ended is
 * known; its outcome comes from its audit row.
 */
export function reportedOperators(
  db: Queryable,
  { runId, maxFailures }: { runId: string; maxFailures: number },
): Promise<ReportedOperator[]> {
  return db.query<ReportedOperator>(
    `SELECT operator.operator_user_id AS "operatorUserId", run.operator_pubkey AS "operatorPubkey",
            coalesce(operator.operator_run_id, run.run_id) AS "runId",
            coalesce(operator.outcome, audit.outcome) AS outcome, audit.counts, ${utc('ended_at')} AS "endedAt",
            CASE WHEN failure_type IS NOT NULL
                 THEN json_build_object('type', failure_type, 'message', coalesce(failure_message, ''))
                 END AS failure,
            coalesce(jsonb_array_length(audit.failures), 0) AS failed,
            coalesce((SELECT jsonb_agg(entry ORDER BY number)
                        FROM jsonb_array_elements(audit.failures) WITH ORDINALITY AS listed (entry, number)
                       WHERE number <= $2), '[]') AS failures
       FROM republish.fleet_operators AS operator
       JOIN republish.fleets AS fleet USING (run_id)
       LEFT JOIN LATERAL (
              SELECT begun.run_id, begun.operator_pubkey FROM republish.runs AS begun
               WHERE begun.operator_user_id = operator.operator_user_id
                 AND CASE WHEN operator.outcome IS NULL AND operator.operator_run_id IS NULL
                          THEN begun.started_at >= fleet.started_at AND begun.closed_at IS NULL
                          ELSE begun.run_id = operator.operator_run_id END
               ORDER BY begun.started_at DESC LIMIT 1) AS run ON true
       LEFT JOIN republish.audit_log AS audit ON audit.run_id = run.run_id
      WHERE operator.run_id = $1 ORDER BY operator.operator_user_id`,
    [runId, maxFailures],
  );
}
