import { persistAudit } from '../activities/persist-audit';
import type { ControlRequest } from '../contract/control';
import { RepublishError } from '../contract/failures';
import type { Obstacle } from '../contract/obstacle';
import { auditOfRun } from '../database/audit';
import type { Database, Queryable } from '../database/connection';
import { recordOfRun } from '../database/ledger/report';
import { checkDatabase } from '../inspection/doctor/database';

/** A run that Temporal has terminated: no workflow writes its audit row any more. */
export interface EndedRun {
  /** firstExecutionRunId. */
  runId: string;
  workflowId: string;
  operatorUserId: string;
  /** Why the run was started. Used if the ledger does not have the run yet. */
  reason?: string | undefined;
  /** Why the run did not end. */
  obstacle?: Obstacle | null;
}

/**
 * Writes the audit row of a run from the ledger and closes the run, by the same function as a worker. A
 * document that stands keeps its outcome. An open document fails with its last failure, as `Interrupted` or
 * as `NotAttempted`. A worker that still works for the run finds it closed, and a second call writes nothing.
 *
 * @returns false: the run had its audit row already
 */
export async function writeAuditOfEnded(
  database: Database,
  { runId, workflowId, operatorUserId, ...ended }: EndedRun,
  asked: ControlRequest,
): Promise<boolean> {
  if ((await auditOfRun(database, runId)) !== undefined) return false;
  const run = await recordOfRun(database, runId);
  await persistAudit(
    { database, failpoint: () => undefined, onRunEnded: () => undefined },
    {
      runId,
      workflowId,
      request: run?.request ?? { operatorUserId, ...(ended.reason ? { reason: ended.reason } : {}) },
      ...(run?.operatorPubkey ? { operatorPubkey: run.operatorPubkey } : {}),
      documentTypes: run?.documentTypes ?? [],
      cancelled: false,
      failure: { type: 'Terminated', message: sentenceOf(asked, ended.obstacle) },
      interventions: [{ action: 'end', at: new Date().toISOString(), ...asked }],
    },
  );
  return true;
}

/**
 * Checks, before the run is terminated, that this is the ledger of its workers: a run that has completed or
 * has planned documents must be in it. Otherwise the audit row would be written into another ledger.
 *
 * @throws RepublishError DatabaseMisconfigured
 */
export async function requireItsLedger(
  db: Queryable,
  { runId, status, progress }: { runId: string; status: string; progress: { planned: number } | null },
): Promise<void> {
  const isInSome = status === 'COMPLETED' || (progress?.planned ?? 0) > 0;
  if (!isInSome || (await recordOfRun(db, runId)) !== undefined) return;
  throw new RepublishError(
    'DatabaseMisconfigured',
    `this ledger has nothing of run ${runId}, which is in that of its workers; nothing was ended`,
    { remedy: 'Call it with the DATABASE_URL of the workers.' },
  );
}

/** Who ended the run and why, for Temporal and the audit row. */
export function sentenceOf({ by, reason }: ControlRequest, obstacle?: Obstacle | null): string {
  const before = obstacle == null ? '' : `; before that: ${obstacle.type}: ${obstacle.message}`;
  return `ended by ${by ?? 'somebody'} (republish end)${reason ? `: ${reason}` : ''}${before}`;
}

/**
 * Checks, before the run is terminated, that the audit row can be written, with the checks of `republish
 * doctor` for the role `worker`. Otherwise the run would stay without its audit row.
 *
 * @throws RepublishError DatabaseMisconfigured, DatabaseUnavailable, SequenceBehind
 */
export async function requireThatItCanBeWritten(database: Database): Promise<void> {
  const failed = (await checkDatabase(() => database, 'worker')).find(({ status }) => status === 'fail');
  if (failed === undefined) return;
  const { subject, message, remedy, type } = failed;
  throw new RepublishError(type ?? 'DatabaseMisconfigured', `nothing was ended: ${subject}: ${message}`, {
    remedy: `${remedy ?? ''} DATABASE_URL has to be that of the workers, or have the role republish_worker.`,
  });
}
