import type { Intervention } from '../contract/control';
import type { Failure } from '../contract/failures';
import { type FleetInput, type FleetSummary, noOperators, type OperatorEnd } from '../contract/fleet';
import type { RunOutcome } from '../contract/progress';
import { asciiJson } from './ascii-json';
import type { Queryable } from './connection';

/** Records that a fleet exists. The first writer wins, so that a retry changes nothing. */
export async function recordFleet(
  db: Queryable,
  { runId, workflowId, request }: { runId: string; workflowId: string; request: FleetInput },
): Promise<void> {
  const { operators: _, ...ofEach } = request;
  await db.query(
    `INSERT INTO republish.fleets (run_id, workflow_id, request) VALUES ($1, $2, $3) ON CONFLICT (run_id) DO NOTHING`,
    [runId, workflowId, asciiJson(ofEach)],
  );
}

/** Adds operators to a fleet; those that it has already stay as they are. */
export async function addFleetOperators(db: Queryable, runId: string, operators: string[]): Promise<void> {
  await db.query(
    `INSERT INTO republish.fleet_operators (run_id, operator_user_id) SELECT $1, unnest($2::text[])
     ON CONFLICT (run_id, operator_user_id) DO NOTHING`,
    [runId, operators],
  );
}

export async function countFleetOperators(db: Queryable, runId: string): Promise<number> {
  const [row] = await db.query<{ operators: number }>(
    'SELECT count(*)::integer AS operators FROM republish.fleet_operators WHERE run_id = $1',
    [runId],
  );
  return row?.operators ?? 0;
}

/** A page of the operators of a fleet, in their order. */
export async function fleetOperatorsAfter(
  db: Queryable,
  { runId, after, limit }: { runId: string; after?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await db.query<{ operator: string }>(
    `SELECT operator_user_id AS operator FROM republish.fleet_operators
      WHERE run_id = $1 AND ($2::text IS NULL OR operator_user_id > $2::text)
      ORDER BY operator_user_id LIMIT $3`,
    [runId, after ?? null, limit],
  );
  return rows.map(({ operator }) => operator);
}

/** Writes down how operators ended; what is written already stays. */
export async function recordFleetOperators(
  db: Queryable,
  runId: string,
  ended: OperatorEnd[],
): Promise<void> {
  await db.query(
    `UPDATE republish.fleet_operators SET operator_run_id = ended."runId", outcome = ended.outcome,
            failure_type = ended.failure->>'type', failure_message = ended.failure->>'message', ended_at = now()
       FROM jsonb_to_recordset($2::jsonb) AS ended ("operatorUserId" text, "runId" text, outcome text, failure jsonb)
      WHERE run_id = $1 AND operator_user_id = ended."operatorUserId" AND fleet_operators.outcome IS NULL`,
    [runId, JSON.stringify(ended)],
  );
}

/** Operators of a fleet by outcome; those without one were not begun. */
export async function fleetCounts(db: Queryable, runId: string): Promise<FleetSummary['operators']> {
  const rows = await db.query<{ outcome: RunOutcome | null; operators: number }>(
    `SELECT outcome, count(*)::integer AS operators FROM republish.fleet_operators WHERE run_id = $1 GROUP BY outcome`,
    [runId],
  );
  const counts = { ...noOperators(), notBegun: 0 };
  for (const { outcome, operators } of rows) counts[outcome ?? 'notBegun'] = operators;
  return counts;
}

/** All operators of a fleet that were begun and are not complete, in their order. */
export function fleetFailures(db: Queryable, runId: string): Promise<OperatorEnd[]> {
  return db.query<OperatorEnd>(
    `SELECT operator_user_id AS "operatorUserId", operator_run_id AS "runId", outcome,
            json_build_object('type', failure_type, 'message', failure_message) AS failure
       FROM republish.fleet_operators WHERE run_id = $1 AND outcome <> 'complete' ORDER BY operator_user_id`,
    [runId],
  );
}

/** One row of `republish.fleet_audit_log`. */
export interface FleetAuditRow extends FleetSummary {
  runId: string;
  workflowId: string;
  outcome: RunOutcome;
  request: FleetInput;
  failure: Failure | null;
  reason: string | null;
  interventions: Intervention[];
}

export interface WrittenFleetAuditRow extends FleetAuditRow {
  /** ISO 8601. */
  startedAt: string;
  writtenAt: string;
}

/** Appends the audit row of a fleet, unless it is there. */
export async function appendFleetAudit(db: Queryable, row: FleetAuditRow): Promise<void> {
  await db.query(
    `INSERT INTO republish.fleet_audit_log (run_id, workflow_id, outcome, request, operators, failures, failure, reason,
                                            interventions, started_at)
     SELECT run_id, $2, $3, $4, $5, $6, $7, $8, $9, started_at FROM republish.fleets WHERE run_id = $1
     ON CONFLICT (run_id) DO NOTHING`,
    [
      row.runId,
      row.workflowId,
      row.outcome,
      JSON.stringify(row.request),
      JSON.stringify(row.operators),
      JSON.stringify(row.failures),
      row.failure === null ? null : JSON.stringify(row.failure),
      row.reason,
      JSON.stringify(row.interventions),
    ],
  );
}

const COLUMNS = `run_id AS "runId", workflow_id AS "workflowId", outcome, request, operators, failures, failure, reason,
  interventions, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "startedAt",
  to_char(written_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "writtenAt"`;

export async function auditOfFleet(db: Queryable, runId: string): Promise<WrittenFleetAuditRow | undefined> {
  const [row] = await db.query<WrittenFleetAuditRow>(
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log WHERE run_id = $1`,
    [runId],
  );
  return row;
}

/** Newest first. */
export function fleetAudits(db: Queryable, limit: number): Promise<WrittenFleetAuditRow[]> {
  return db.query<WrittenFleetAuditRow>(
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log ORDER BY id DESC LIMIT $1`,
    [limit],
  );
}
