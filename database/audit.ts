import type { Intervention } from '../contract/control';
import type { DocumentFailure, Failure } from '../contract/failures';
import type { Outcome, RunOutcome } from '../contract/progress';
import type { RepublishResult } from '../contract/input';
import type { RelayStanding } from '../contract/relay-standing';
import { type Link, nextLink } from '../rules/audit-chain';
import { appendHashed, documentsHash, lockChain } from './audit-chain';
import type { Queryable, Transaction } from './connection';
import { freeJson, freeText } from './free-text';
import { utc } from './utc';

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

/** As it is told, and as it is hashed (rules/audit-chain.ts): its hash holds all the rest. */
export interface WrittenAuditRow extends AuditRow, Link {
  /** ISO 8601, with milliseconds. */
  writtenAt: string;
}

const HASHED = `run_id AS "runId", workflow_id AS "workflowId", operator_user_id AS "operatorUserId",
  operator_pubkey AS "operatorPubkey", outcome, events, counts, failures, skipped, superseded, laggards, failure, swept, reason, interventions,
  ${utc('written_at')} AS "writtenAt",
  position, members_hash AS "membersHash", previous_hash AS "previousHash"`;
const COLUMNS = `${HASHED}, hash`;

const ROW = `SELECT $1::text AS run_id, $2::text AS workflow_id, $3::text AS operator_user_id, $4::text AS operator_pubkey,
  $5::text AS outcome, $6::json AS events, $7::json AS counts, $8::jsonb AS failures, $9::jsonb AS skipped,
  $10::jsonb AS superseded, $11::jsonb AS laggards, $12::jsonb AS failure, $13::boolean AS swept, $14::text AS reason,
  $15::jsonb AS interventions, date_trunc('milliseconds', now()) AS written_at,
  $16::integer AS position, $17::text AS members_hash, $18::text AS previous_hash`;

const LOG = {
  kind: 'run',
  table: 'audit_log',
  row: ROW,
  columns: `run_id, workflow_id, operator_user_id, operator_pubkey, outcome, events, counts, failures, skipped, superseded,
    laggards, failure, swept, reason, interventions, written_at, position, members_hash, previous_hash`,
  hashed: HASHED,
} as const;

/**
 * Appends the audit row of a run to the chain of its operator, unless it is there: exactly one row per run,
 * whatever is retried. In the transaction that closes the run, so that its documents stay as they were
 * hashed.
 */
export async function appendAudit(client: Transaction, row: AuditRow): Promise<void> {
  const membersHash = await documentsHash(client, row.runId);
  await lockChain(client, 'run', row.operatorUserId);
  if ((await auditOfRun(client, row.runId)) !== undefined) return;
  const [newest] = await auditsOfOperator(client, row.operatorUserId, 1);
  const { position, previousHash } = nextLink(newest);
  await appendHashed(client, LOG, [
    row.runId,
    row.workflowId,
    row.operatorUserId,
    row.operatorPubkey,
    row.outcome,
    freeJson(row.events),
    freeJson(row.counts),
    freeJson(row.failures),
    freeJson(row.skipped),
    freeJson(row.superseded),
    freeJson(row.laggards),
    row.failure === null ? null : freeJson(row.failure),
    row.swept,
    freeText(row.reason),
    freeJson(row.interventions),
    position,
    membersHash,
    previousHash,
  ]);
}

export async function auditOfRun(db: Queryable, runId: string): Promise<WrittenAuditRow | undefined> {
  const [row] = await db.query<WrittenAuditRow>(
    `SELECT ${COLUMNS} FROM republish.audit_log WHERE run_id = $1`,
    [runId],
  );
  return row;
}

const MAX_OPERATORS = 10_000;

/** Operators who had a run. */
export async function knownOperators(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT operator_user_id AS id FROM republish.runs
      UNION SELECT operator_user_id FROM republish.audit_log LIMIT ${MAX_OPERATORS}`,
  );
  return rows.map(({ id }) => id);
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
    `SELECT ${COLUMNS} FROM republish.audit_log WHERE operator_user_id = $1 ORDER BY position DESC LIMIT $2`,
    [operatorUserId, limit],
  );
}

/** Some rows of an operator, in the order of the chain. */
export function auditChain(
  db: Queryable,
  operatorUserId: string,
  { offset, limit }: { offset: number; limit: number },
): Promise<WrittenAuditRow[]> {
  // Whoever tampers can drop the constraint by which a position is there once.
  return db.query<WrittenAuditRow>(
    `SELECT ${COLUMNS} FROM republish.audit_log WHERE operator_user_id = $1 ORDER BY position, id OFFSET $2 LIMIT $3`,
    [operatorUserId, offset, limit],
  );
}

/** Operators who have runs that were closed, and so should have audit rows. */
export async function auditedOperators(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ operator: string }>(
    `SELECT operator_user_id AS operator FROM republish.runs WHERE closed_at IS NOT NULL
      UNION SELECT operator_user_id FROM republish.audit_log ORDER BY operator`,
  );
  return rows.map(({ operator }) => operator);
}

/**
 * Runs of an operator that were closed, which their audit row does, and have none of that operator; the
 * earliest first.
 */
export function closedWithoutAudit(
  db: Queryable,
  operatorUserId: string,
): Promise<{ runId: string; closedAt: string }[]> {
  return db.query(
    `SELECT run_id AS "runId", ${utc('closed_at')} AS "closedAt"
       FROM republish.runs WHERE operator_user_id = $1 AND closed_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM republish.audit_log
                         WHERE audit_log.run_id = runs.run_id AND audit_log.operator_user_id = runs.operator_user_id)
      ORDER BY closed_at`,
    [operatorUserId],
  );
}
