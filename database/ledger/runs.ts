import type { Queryable } from '../connection';

export interface RunRow {
  runId: string;
  workflowId: string;
  operatorUserId: string;
  operatorPubkey?: string | undefined;
  documentTypes: string[];
  reason?: string | undefined;
}

/** Records that a run exists. The first writer wins, so that a retry changes nothing; a key learned later is filled in. */
export async function recordRun(db: Queryable, run: RunRow): Promise<void> {
  await db.query(
    `INSERT INTO republish.runs (run_id, workflow_id, operator_user_id, operator_pubkey, document_types, reason)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (run_id) DO UPDATE SET operator_pubkey = COALESCE(republish.runs.operator_pubkey, EXCLUDED.operator_pubkey)`,
    [
      run.runId,
      run.workflowId,
      run.operatorUserId,
      run.operatorPubkey ?? null,
      run.documentTypes,
      run.reason ?? null,
    ],
  );
}
