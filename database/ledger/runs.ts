import type { RepublishInput } from '../../contract/input';
import type { Queryable, Writable } from '../connection';
import { freeJson } from '../free-text';
import { utc } from '../utc';

/** A row of `republish.runs`. */
export interface RunRow {
  runId: string;
  workflowId: string;
  operatorUserId: string;
  /** Hex. Null: the run has not read the account yet. */
  operatorPubkey: string | null;
  documentTypes: string[];
  /** Sign every document again, also those whose state has not changed. */
  force: boolean;
  /** Also publish document types that reset what the machine counts itself. */
  resetCounts: boolean;
  /** The audit row is written, and the rows of the run are frozen. */
  closed: boolean;
}

export type OpeningRun = Pick<RunRow, 'runId' | 'workflowId' | 'documentTypes'> & {
  operatorPubkey?: string | undefined;
  request: RepublishInput;
};

/** The columns of `republish.runs AS run` as a RunRow. */
export const RUN_COLUMNS = `run.run_id AS "runId", run.workflow_id AS "workflowId",
  run.operator_user_id AS "operatorUserId", run.operator_pubkey AS "operatorPubkey",
  run.document_types AS "documentTypes", run.force, run.reset_counts AS "resetCounts",
  run.closed_at IS NOT NULL AS closed`;

/**
 * Writes the row of a run. The first writer wins, so a retry changes nothing, except that it adds the
 * operator's key if the row has none.
 *
 * @returns the row that the ledger has now
 */
export async function openRun(db: Writable, run: OpeningRun): Promise<RunRow> {
  const { operatorUserId, force = false, resetCounts = false } = run.request;
  await db.query(
    `INSERT INTO republish.runs AS run
            (run_id, workflow_id, operator_user_id, operator_pubkey, document_types, force, reset_counts,
             request)
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
  if (row === undefined) throw new Error(`run ${run.runId} was written, and the ledger does not have it`);
  return row;
}

export async function runOf(db: Queryable, runId: string): Promise<RunRow | undefined> {
  const [row] = await db.query<RunRow>(`SELECT ${RUN_COLUMNS} FROM republish.runs AS run WHERE run_id = $1`, [
    runId,
  ]);
  return row;
}

/** The time of the newest fact about a document of a run, by the clock of Postgres (ISO 8601). */
export async function lastMoveOf(db: Queryable, runId: string): Promise<string | null> {
  const [row] = await db.query<{ at: string | null }>(
    `SELECT ${utc('max(greatest(sealed_at, signed_at, sent_at, settled_at))')} AS at
       FROM republish.documents WHERE run_id = $1`,
    [runId],
  );
  return row?.at ?? null;
}
