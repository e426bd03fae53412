import type { Intervention } from '../contract/control';
import type { DocumentFailure, Failure } from '../contract/failures';
import type { OutcomeCounts, RunOutcome } from '../contract/progress';
import type { RepublishResult } from '../contract/input';
import type { RelayStanding } from '../contract/relay-standing';
import { type Link, nextLink } from '../rules/audit-chain';
import { appendHashed, runMembersHash, lockChain } from './audit-chain';
import type { Queryable, Transaction } from './connection';
import { freeJson, freeText } from './free-text';
import { utc } from './utc';

/** One row of `republish.audit_log`: how a run and each of its documents ended. */
export interface AuditRow {
  runId: string;
  workflowId: string;
  operatorUserId: string;
  /** Hex. Null: the run ended before it read the account. */
  operatorPubkey: string | null;
  outcome: RunOutcome;
  /** Event ids (hex) by document type, in the order of the machine ids. */
  events: RepublishResult;
  /** Documents by document type and outcome. */
  counts: Record<string, OutcomeCounts>;
  failures: DocumentFailure[];
  /** Without a reason: the machine has no state of that type. With one: a person skipped the document. */
  skipped: { documentType: string; machineId: string; reason?: string }[];
  superseded: { documentType: string; machineId: string; eventId: string; supersededBy: string }[];
  laggards: ({ documentType: string; machineId: string; relay: string } & RelayStanding)[];
  /** What ended the run before its documents were settled. */
  failure: Failure | null;
  /** The sweep looked at every signed document before this row was written. False after a cancel. */
  swept: boolean;
  /** Why the run was started, in the words of the person. */
  reason: string | null;
  /** The controls that people used while the run was running, oldest first. */
  interventions: Intervention[];
}

/** An audit row as it is read. `hash` covers every other field (rules/audit-chain.ts). */
export interface WrittenAuditRow extends AuditRow, Link {
  /** ISO 8601, with milliseconds. */
  writtenAt: string;
}

/** The columns of `republish.audit_log` as a WrittenAuditRow, without `hash`. */
const HASHED = `run_id AS "runId", workflow_id AS "workflowId", operator_user_id AS "operatorUserId",
  operator_pubkey AS "operatorPubkey", outcome, events, counts, failures, skipped, superseded, laggards,
  failure, swept, reason, interventions, ${utc('written_at')} AS "writtenAt",
  position, members_hash AS "membersHash", previous_hash AS "previousHash"`;
const COLUMNS = `${HASHED}, hash`;

const ROW = `SELECT $1::text AS run_id, $2::text AS workflow_id, $3::text AS operator_user_id,
  $4::text AS operator_pubkey, $5::text AS outcome, $6::json AS events, $7::json AS counts,
  $8::jsonb AS failures, $9::jsonb AS skipped, $10::jsonb AS superseded, $11::jsonb AS laggards,
  $12::jsonb AS failure, $13::boolean AS swept, $14::text AS reason, $15::jsonb AS interventions,
  date_trunc('milliseconds', now()) AS written_at,
  $16::integer AS position, $17::text AS members_hash, $18::text AS previous_hash`;

const LOG = {
  kind: 'run',
  table: 'audit_log',
  row: ROW,
  columns: `run_id, workflow_id, operator_user_id, operator_pubkey, outcome, events, counts, failures,
    skipped, superseded, laggards, failure, swept, reason, interventions, written_at, position, members_hash,
    previous_hash`,
  hashed: HASHED,
} as const;

/**
 * Appends the audit row of a run to the chain of its operator. Does nothing when the run has its row: a
 * retried activity calls this again.
 *
 * The caller closes the run in the same transaction. Otherwise its documents could change after they were
 * hashed.
 */
export async function appendAudit(client: Transaction, row: AuditRow): Promise<void> {
  const membersHash = await runMembersHash(client, row.runId);
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

/** The audit row of a run in `republish.audit_log`. Undefined: the run has none yet. */
export async function auditOfRun(db: Queryable, runId: string): Promise<WrittenAuditRow | undefined> {
  const [row] = await db.query<WrittenAuditRow>(
    `SELECT ${COLUMNS} FROM republish.audit_log WHERE run_id = $1`,
    [runId],
  );
  return row;
}

const MAX_OPERATORS = 10_000;

/** Ids of operators who had a run, at most 10,000 of them, in no order. */
export async function knownOperators(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT operator_user_id AS id FROM republish.runs
      UNION SELECT operator_user_id FROM republish.audit_log LIMIT ${MAX_OPERATORS}`,
  );
  return rows.map(({ id }) => id);
}

/**
 * The five newest runs of an operator without an audit row, newest first. Such a run is running, or somebody
 * terminated it.
 */
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

/** Audit rows of an operator in `republish.audit_log`, newest first. */
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

/** A batch of the audit chain of an operator in `republish.audit_log`, first position first. */
export function auditChain(
  db: Queryable,
  operatorUserId: string,
  { offset, limit }: { offset: number; limit: number },
): Promise<WrittenAuditRow[]> {
  // By id too: a person who tampers can drop the unique constraint on the position.
  return db.query<WrittenAuditRow>(
    `SELECT ${COLUMNS} FROM republish.audit_log
      WHERE operator_user_id = $1 ORDER BY position, id OFFSET $2 LIMIT $3`,
    [operatorUserId, offset, limit],
  );
}

/** Ids of operators who have closed runs or audit rows, in order. A closed run must have an audit row. */
export async function auditedOperators(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ operator: string }>(
    `SELECT operator_user_id AS operator FROM republish.runs WHERE closed_at IS NOT NULL
      UNION SELECT operator_user_id FROM republish.audit_log ORDER BY operator`,
  );
  return rows.map(({ operator }) => operator);
}

/** Closed runs of an operator that have no audit row of that operator, the earliest first. */
export function closedWithoutAudit(
  db: Queryable,
  operatorUserId: string,
): Promise<{ runId: string; closedAt: string }[]> {
  return db.query(
    `SELECT run_id AS "runId", ${utc('closed_at')} AS "closedAt"
       FROM republish.runs WHERE operator_user_id = $1 AND closed_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM republish.audit_log
                         WHERE audit_log.run_id = runs.run_id
                           AND audit_log.operator_user_id = runs.operator_user_id)
      ORDER BY closed_at`,
    [operatorUserId],
  );
}
