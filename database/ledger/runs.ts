import type { RepublishInput } from '../../contract/input';
import type { Queryable, Writable } from '../connection';
import { freeJson } from '../free-text';
import { utc } from '../utc';

export interface RunRow {
  runId: string;
  workflowId: string;
  operatorUserId: string;
  /** Null until the account has been read. */
  operatorPubkey: string | null;
  documentTypes: string[];
  force: boolean;
  resetCounts: boolean;
  /** Its audit row is written, and nothing of it changes any more. */
  closed: boolean;
}

export type OpeningRun = Pick<RunRow, 'runId' | 'workflowId' | 'documentTypes'> & {
  operatorPubkey?: string | undefined;
  request: RepublishInput;
};

/** Of `republish.runs AS run`, as a RunRow has them. */
export const RUN_COLUMNS = `run.run_id AS "runId", run.workflow_id AS "workflowId", run.operator_user_id AS "operatorUserId",
  run.operator_pubkey AS "operatorPubkey", run.document_types AS "documentTypes", run.force, run.reset_counts AS "resetCounts",
  run.closed_at IS NOT NULL AS closed`;

/**
 * Records that a run exists. The first writer wins, so that a retry changes nothing; a key learned later is
 * filled in. Returns what stands.
 */
export async function openRun(db: Writable, run: OpeningRun): Promise<RunRow> {
  const { operatorUserId, force = false, resetCounts = false } = run.request;
  await db.query(
    `INSERT INTO republish.runs AS run
            (run_id, workflow_id, operator_user_id, operator_pubkey, document_types, force, reset_counts, request)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (run_id) DO UPDATE SET operator_pubkey = EXCLUDED.operator_pubkey
       WHERE run.operator_pubkey IS NULL AND EXCLUDED.operator_pubkey IS NOT NULL AND run.closed_at IS NULL`,
    [
      run.runId,
      run.workflowId,
      operatorUserId,
      run.operatorPubkey ?? null,
      run.documentTypes,
      force,
      resetCounts,
      freeJson(run.request),
    ],
  );
  const row = await runOf(db, run.runId);
  if (row === undefined) throw new Error(`the ledger lost the run ${run.runId} as soon as it was written`);
  return row;
}

export async function runOf(db: Queryable, runId: string): Promise<RunRow | undefined> {
  const [row] = await db.query<RunRow>(`SELECT ${RUN_COLUMNS} FROM republish.runs AS run WHERE run_id = $1`, [
    runId,
  ]);
  return row;
}

/** When a document of a run last came further, by the clock of Postgres (ISO 8601); null: none has yet. */
export async function lastMoveOf(db: Queryable, runId: string): Promise<string | null> {
  const [row] = await db.query<{ at: string | null }>(
    `SELECT ${utc('max(greatest(sealed_at, signed_at, sent_at, settled_at))')} AS at
       FROM republish.documents WHERE run_id = $1`,
    [runId],
  );
  return row?.at ?? null;
}
