import type { Intervention } from '../contract/control';
import type { Failure } from '../contract/failures';
import { type FleetInput, type FleetSummary, noOperators, type OperatorEnd } from '../contract/fleet';
import type { RunOutcome } from '../contract/progress';
import { type Link, nextLink } from '../rules/audit-chain';
import { appendHashed, lockChain, operatorsHash } from './audit-chain';
import type { Queryable, Transaction, Writable } from './connection';
import { freeJson, freeText } from './free-text';
import { utc } from './utc';

/** Records that a fleet exists. The first writer wins, so that a retry changes nothing. */
export async function recordFleet(
  db: Writable,
  { runId, workflowId, request }: { runId: string; workflowId: string; request: FleetInput },
): Promise<void> {
  const { operators: _, ...ofEach } = request;
  await db.query(
    `INSERT INTO republish.fleets (run_id, workflow_id, request) VALUES ($1, $2, $3) ON CONFLICT (run_id) DO NOTHING`,
    [runId, workflowId, freeJson(ofEach)],
  );
}

/** Adds operators to a fleet; those that it has already stay as they are. */
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

/**
 * Until the end of the transaction nobody else writes how operators of the fleet ended, or its audit.
 *
 * @returns whether it has its audit: that holds the hash of how they ended, so that nothing is written any
 * more. Asked behind the
 *   lock, by a statement of its own, which sees what was committed while it was waited for
 */
async function isAuditedBehindLock(client: Transaction, runId: string): Promise<boolean> {
  await client.query('SELECT FROM republish.fleets WHERE run_id = $1 FOR NO KEY UPDATE', [runId]);
  return (await client.query('SELECT FROM republish.fleet_audit_log WHERE run_id = $1', [runId])).length > 0;
}

/**
 * Writes down how operators ended; what is written already stays. Nothing, when the fleet has its audit: a
 * worker may come back to one that somebody has ended.
 */
export async function recordFleetOperators(
  client: Transaction,
  runId: string,
  ended: OperatorEnd[],
): Promise<void> {
  if (await isAuditedBehindLock(client, runId)) return;
  await client.query(
    `UPDATE republish.fleet_operators SET operator_run_id = ended."runId", outcome = ended.outcome,
            failure_type = ended.failure->>'type', failure_message = ended.failure->>'message', ended_at = now()
       FROM jsonb_to_recordset($2::jsonb) AS ended ("operatorUserId" text, "runId" text, outcome text, failure jsonb)
      WHERE run_id = $1 AND operator_user_id = ended."operatorUserId" AND fleet_operators.outcome IS NULL`,
    [runId, freeJson(ended)],
  );
}

/**
 * Operators of whom the fleet could not write down how they ended: as the newest audit since its beginning
 * says.
 */
export async function recordFromAudits(client: Transaction, runId: string): Promise<void> {
  if (await isAuditedBehindLock(client, runId)) return;
  await client.query(
    `UPDATE republish.fleet_operators AS operator
        SET operator_run_id = audit.run_id, outcome = audit.outcome, ended_at = audit.written_at,
            failure_message = audit.failure ->> 'message',
            failure_type = coalesce(audit.failure ->> 'type', CASE audit.outcome WHEN 'incomplete' THEN 'RepublishIncomplete'
                                                                                 WHEN 'cancelled' THEN 'Cancelled' END)
       FROM (SELECT DISTINCT ON (operator_user_id) audit_log.*
               FROM republish.audit_log JOIN republish.fleets ON fleets.run_id = $1 AND written_at >= fleets.started_at
              ORDER BY operator_user_id, id DESC) AS audit
      WHERE operator.run_id = $1 AND operator.outcome IS NULL AND audit.operator_user_id = operator.operator_user_id`,
    [runId],
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

/** As it is told, and as it is hashed (rules/audit-chain.ts): its hash holds all the rest. */
export interface WrittenFleetAuditRow extends FleetAuditRow, Link {
  /** ISO 8601. */
  startedAt: string;
  writtenAt: string;
}

const HASHED = `run_id AS "runId", workflow_id AS "workflowId", outcome, request, operators, failures, failure, reason,
  interventions, ${utc('started_at')} AS "startedAt",
  ${utc('written_at')} AS "writtenAt",
  position, members_hash AS "membersHash", previous_hash AS "previousHash"`;
const COLUMNS = `${HASHED}, hash`;

const ROW = `SELECT run_id, $2::text AS workflow_id, $3::text AS outcome, $4::json AS request, $5::json AS operators,
  $6::jsonb AS failures, $7::jsonb AS failure, $8::text AS reason, $9::jsonb AS interventions, started_at,
  date_trunc('milliseconds', now()) AS written_at,
  $10::integer AS position, $11::text AS members_hash, $12::text AS previous_hash
  FROM republish.fleets WHERE run_id = $1`;

const LOG = {
  kind: 'fleet',
  table: 'fleet_audit_log',
  row: ROW,
  columns: `run_id, workflow_id, outcome, request, operators, failures, failure, reason, interventions, started_at,
    written_at, position, members_hash, previous_hash`,
  hashed: HASHED,
} as const;

/** Appends the audit row of a fleet to the chain of all fleets, unless it is there. */
export async function appendFleetAudit(client: Transaction, row: FleetAuditRow): Promise<void> {
  const membersHash = await operatorsHash(client, row.runId);
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
}

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
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log ORDER BY position DESC LIMIT $1`,
    [limit],
  );
}

/** Some rows of all fleets, in the order of the chain. */
export function fleetAuditChain(
  db: Queryable,
  { offset, limit }: { offset: number; limit: number },
): Promise<WrittenFleetAuditRow[]> {
  return db.query<WrittenFleetAuditRow>(
    `SELECT ${COLUMNS} FROM republish.fleet_audit_log ORDER BY position, id OFFSET $1 LIMIT $2`,
    [offset, limit],
  );
}
