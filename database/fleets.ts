import type { Intervention } from '../contract/control';
import { type Failure, traitsOf, typesWith } from '../contract/failures';
import { type FleetInput, type FleetSummary, noOperators, type OperatorEnd } from '../contract/fleet';
import type { OperatorRun } from '../contract/fleet-activities';
import type { RunOutcome } from '../contract/progress';
import { type Link, nextLink } from '../rules/audit-chain';
import { requestOf } from '../rules/fleet-input';
import { differencesOf } from '../rules/same-request';
import { appendHashed, lockChain, fleetMembersHash } from './audit-chain';
import type { Queryable, Transaction, Writable } from './connection';
import { freeJson, freeText } from './free-text';
import { utc } from './utc';

/**
 * Writes the row of a fleet in `republish.fleets`. The first writer wins, so a retry changes nothing. The
 * operators of the request are rows of `republish.fleet_operators` instead.
 */
export async function recordFleet(
  db: Writable,
  { runId, workflowId, request }: { runId: string; workflowId: string; request: FleetInput },
): Promise<void> {
  const { operators: _, ...withoutOperators } = request;
  await db.query(
    `INSERT INTO republish.fleets (run_id, workflow_id, request) VALUES ($1, $2, $3)
     ON CONFLICT (run_id) DO NOTHING`,
    [runId, workflowId, freeJson(withoutOperators)],
  );
}

/** Adds operators to a fleet. Operators that the fleet has already do not change. */
export async function addFleetOperators(db: Writable, runId: string, operators: string[]): Promise<void> {
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

/** The next ids of a fleet's operators after `after`, in their order. */
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

/**
 * Locks a fleet until the end of the transaction: nobody else writes its operators or its audit row.
 *
 * @returns whether the fleet is closed. Its audit row has the hash of the operators, so they must not change
 *   any more. The second statement asks for it: it sees what was committed while the first waited for the
 *   lock
 */
async function lockFleet(client: Transaction, runId: string): Promise<boolean> {
  await client.query('SELECT FROM republish.fleets WHERE run_id = $1 FOR NO KEY UPDATE', [runId]);
  const closed = 'SELECT FROM republish.fleets WHERE run_id = $1 AND closed_at IS NOT NULL';
  return (await client.query(closed, [runId])).length > 0;
}

/**
 * Writes how operators ended. An operator that has an outcome keeps it. Does nothing when the fleet has its
 * audit row: a worker may continue a fleet that a person has ended.
 */
export async function recordFleetOperators(
  client: Transaction,
  runId: string,
  ended: OperatorEnd[],
): Promise<void> {
  if (await lockFleet(client, runId)) return;
  await client.query(
    `UPDATE republish.fleet_operators
        SET operator_run_id = ended."runId", outcome = ended.outcome, failure_type = ended.failure ->> 'type',
            failure_message = ended.failure ->> 'message', ended_at = now()
       FROM jsonb_to_recordset($2::jsonb)
              AS ended ("operatorUserId" text, "runId" text, outcome text, failure jsonb)
      WHERE run_id = $1 AND operator_user_id = ended."operatorUserId" AND fleet_operators.outcome IS NULL`,
    [runId, freeJson(ended)],
  );
}

const TYPE_OF_OUTCOME = Object.fromEntries(
  typesWith('runOutcome').map((type) => [traitsOf(type).runOutcome, type]),
);

/**
 * Runs of the open operators of a fleet: audited since it began, or begun since and not closed. The time of
 * an audit row has whole milliseconds.
 */
const RUNS_SINCE = `SELECT run.operator_user_id AS "operatorUserId", run.run_id AS "runId", run.request
  FROM republish.fleets AS fleet
  JOIN republish.fleet_operators AS operator USING (run_id)
  JOIN republish.runs AS run ON run.operator_user_id = operator.operator_user_id
  LEFT JOIN republish.audit_log AS audit ON audit.run_id = run.run_id
 WHERE fleet.run_id = $1 AND operator.outcome IS NULL
   AND (audit.written_at >= date_trunc('milliseconds', fleet.started_at)
        OR (audit.id IS NULL AND run.closed_at IS NULL AND run.started_at >= fleet.started_at))
 ORDER BY audit.id DESC NULLS LAST, run.started_at DESC`;

/**
 * Writes how the remaining operators ended, for a fleet that could not write it. The run of an operator is
 * the one in `begun`; else its newest run since the fleet began, an ended one before an open one. Only a run
 * of the fleet's request counts: what a person started for another request tells nothing of the fleet.
 *
 * The operator gets the outcome in the audit row of that run. Without an audit row the operator gets the run
 * and no outcome: the run continues without the fleet.
 *
 * @param begun runs that the fleet has begun and that have not ended, as Temporal knows them
 */
export async function recordFromRuns(
  client: Transaction,
  runId: string,
  begun: readonly OperatorRun[],
): Promise<void> {
  if (await lockFleet(client, runId)) return;
  const [fleet] = await client.query<{ request: FleetInput }>(
    'SELECT request FROM republish.fleets WHERE run_id = $1',
    [runId],
  );
  const runs = new Map(begun.map((run) => [run.operatorUserId, run]));
  const since = await client.query<OperatorRun & { request: unknown }>(RUNS_SINCE, [runId]);
  for (const { request, ...run } of since) {
    const asked = requestOf(fleet?.request ?? {}, run.operatorUserId);
    if (!runs.has(run.operatorUserId) && differencesOf(request, asked).length === 0)
      runs.set(run.operatorUserId, run);
  }
  await client.query(
    `UPDATE republish.fleet_operators AS operator
        SET operator_run_id = run."runId", outcome = audit.outcome, ended_at = audit.written_at,
            failure_message = audit.failure ->> 'message',
            failure_type = coalesce(audit.failure ->> 'type', $3::jsonb ->> audit.outcome)
       FROM jsonb_to_recordset($2::jsonb) AS run ("operatorUserId" text, "runId" text)
       LEFT JOIN republish.audit_log AS audit ON audit.run_id = run."runId"
      WHERE operator.run_id = $1 AND operator.outcome IS NULL
        AND operator.operator_user_id = run."operatorUserId"`,
    [runId, freeJson([...runs.values()]), JSON.stringify(TYPE_OF_OUTCOME)],
  );
}

/**
 * How many operators of a fleet have each outcome. Without an outcome they are `running` where they have a
 * run, which continued when the fleet was ended; else `notBegun`.
 */
export async function fleetCounts(db: Queryable, runId: string): Promise<FleetSummary['operators']> {
  const rows = await db.query<{ outcome: RunOutcome | 'running' | 'notBegun'; operators: number }>(
    `SELECT coalesce(outcome, CASE WHEN operator_run_id IS NULL THEN 'notBegun' ELSE 'running' END) AS outcome,
            count(*)::integer AS operators
       FROM republish.fleet_operators WHERE run_id = $1 GROUP BY 1`,
    [runId],
  );
  const counts: FleetSummary['operators'] = { ...noOperators(), notBegun: 0 };
  for (const { outcome, operators } of rows) counts[outcome] = operators;
  return counts;
}

/** The runs that continued when a fleet was ended, in the order of the operators' ids. */
export function runsLeftBehind(db: Queryable, runId: string): Promise<OperatorRun[]> {
  return db.query<OperatorRun>(
    `SELECT operator_user_id AS "operatorUserId", operator_run_id AS "runId"
       FROM republish.fleet_operators
      WHERE run_id = $1 AND outcome IS NULL AND operator_run_id IS NOT NULL ORDER BY operator_user_id`,
    [runId],
  );
}

/** All operators of a fleet whose outcome is not `complete`, in the order of their ids. */
export function fleetFailures(db: Queryable, runId: string): Promise<OperatorEnd[]> {
  return db.query<OperatorEnd>(
    `SELECT operator_user_id AS "operatorUserId", operator_run_id AS "runId", outcome,
            json_build_object('type', failure_type, 'message', failure_message) AS failure
       FROM republish.fleet_operators
      WHERE run_id = $1 AND outcome <> 'complete' ORDER BY operator_user_id`,
    [runId],
  );
}

/** One row of `republish.fleet_audit_log`: how a fleet and each of its operators ended. */
export interface FleetAuditRow extends FleetSummary {
  runId: string;
  workflowId: string;
  outcome: RunOutcome;
  /** Without its operators. */
  request: FleetInput;
  /** What ended the fleet before its operators. */
  failure: Failure | null;
  reason: string | null;
  interventions: Intervention[];
}

/** An audit row as it is read. `hash` covers every other field (rules/audit-chain.ts). Times: ISO 8601. */
export interface WrittenFleetAuditRow extends FleetAuditRow, Link {
  startedAt: string;
  writtenAt: string;
}

/** The columns of `republish.fleet_audit_log` as a WrittenFleetAuditRow, without `hash`. */
const HASHED = `run_id AS "runId", workflow_id AS "workflowId", outcome, request, operators, failures,
  failure, reason, interventions, ${utc('started_at')} AS "startedAt", ${utc('written_at')} AS "writtenAt",
  position, members_hash AS "membersHash", previous_hash AS "previousHash"`;
const COLUMNS = `${HASHED}, hash`;

const ROW = `SELECT run_id, $2::text AS workflow_id, $3::text AS outcome, $4::json AS request,
  $5::json AS operators, $6::jsonb AS failures, $7::jsonb AS failure, $8::text AS reason,
  $9::jsonb AS interventions, started_at, date_trunc('milliseconds', now()) AS written_at,
  $10::integer AS position, $11::text AS members_hash, $12::text AS previous_hash
  FROM republish.fleets WHERE run_id = $1`;

const LOG = {
  kind: 'fleet',
  table: 'fleet_audit_log',
  row: ROW,
  columns: `run_id, workflow_id, outcome, request, operators, failures, failure, reason, interventions,
    started_at, written_at, position, members_hash, previous_hash`,
  hashed: HASHED,
} as const;

/**
 * Appends the audit row of a fleet to the chain of all fleets, and closes the fleet. Does nothing when the
 * fleet has its row.
 */
export async function appendFleetAudit(client: Transaction, row: FleetAuditRow): Promise<void> {
  const membersHash = await fleetMembersHash(client, row.runId);
  await lockChain(client, 'fleet', '');
  if ((await auditOfFleet(client, row.runId)) !== undefined) return;
  const [newest] = await fleetAudits(client, 1);
  const { position, previousHash } = nextLink(newest);
  await appendHashed(client, LOG, [
    row.runId,
    row.workflowId,
    row.outcome,
    freeJson(row.request),
    freeJson(row.operators),
    freeJson(row.failures),
    row.failure === null ? null : freeJson(row.failure),
    freeText(row.reason),
    freeJson(row.interventions),
    position,
    membersHash,
    previousHash,
  ]);
  await client.query(
    'UPDATE republish.fleets SET closed_at = now() WHERE run_id = $1 AND closed_at IS NULL',
    [row.runId],
  );
}

/** Closed fleets that have no audit row, the earliest first. */
export function closedFleetsWithoutAudit(db: Queryable): Promise<{ runId: string; closedAt: string }[]> {
  return db.query(
    `SELECT run_id AS "runId", ${utc('closed_at')} AS "closedAt" FROM republish.fleets
      WHERE closed_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM republish.fleet_audit_log AS audit WHERE audit.run_id = fleets.run_id)
      ORDER BY closed_at`,
  );
}

/** The audit row of a fleet in `republish.fleet_audit_log`. Undefined: the fleet has none yet. */
export async function auditOfFleet(db: Queryable, runId: string): Promise<WrittenFleetAuditRow | undefined> {
  const [row] = await db.query<WrittenFleetAuditRow>(
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log WHERE run_id = $1`,
    [runId],
  );
  return row;
}

/** Audit rows of all fleets in `republish.fleet_audit_log`, newest first. */
export function fleetAudits(db: Queryable, limit: number): Promise<WrittenFleetAuditRow[]> {
  return db.query<WrittenFleetAuditRow>(
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log ORDER BY position DESC LIMIT $1`,
    [limit],
  );
}

/** A batch of the audit chain of all fleets in `republish.fleet_audit_log`, first position first. */
export function fleetAuditChain(
  db: Queryable,
  { offset, limit }: { offset: number; limit: number },
): Promise<WrittenFleetAuditRow[]> {
  return db.query<WrittenFleetAuditRow>(
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log ORDER BY position, id OFFSET $1 LIMIT $2`,
    [offset, limit],
  );
}
