import { persistAudit } from '../activities/persist-audit';
import type { ControlRequest } from '../contract/control';
import { RepublishError } from '../contract/failures';
import type { Obstacle } from '../contract/obstacle';
import { auditOfRun } from '../database/audit';
import type { Database, Queryable } from '../database/connection';
import { recordOfRun } from '../database/ledger/report';
import { checkDatabase } from '../inspection/doctor/database';

/** A run that Temporal has ended, so that nobody writes its audit any more. */
export interface EndedRun {
  /** First execution. */
  runId: string;
  workflowId: string;
  operatorUserId: string;
  /** Why it was started, where the ledger does not know the run yet. */
  reason?: string | undefined;
  /** What had kept it from coming to an end by itself. */
  obstacle?: Obstacle | null;
}

/**
 * Writes the audit of a run from what the ledger says, and closes it: what stands is named as published, what
 * was in work as `Interrupted` or with the failure of its last try, the rest as `NotAttempted`. As a worker
 * would, and so by the same function: one row for each run, whoever writes it and however often. A worker
 * that comes back finds the run closed.
 *
 * @returns false where its audit was there already
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
      failure: { type: 'RunEnded', message: sentenceOf(asked, ended.obstacle) },
      interventions: [{ action: 'end', at: new Date().toISOString(), ...asked }],
    },
  );
  return true;
}

/**
 * Before anything is ended: a run that has come to its end by itself, or has planned documents, is in the
 * ledger of its workers. Where this one has nothing of it, its audit would be written into another.
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

/** Who has ended it and why, for Temporal and the audit. */
export function sentenceOf({ by, reason }: ControlRequest, obstacle?: Obstacle | null): string {
  const before = obstacle == null ? '' : `; before that: ${obstacle.type}: ${obstacle.message}`;
  return `ended by ${by ?? 'somebody'} (republish end)${reason ? `: ${reason}` : ''}${before}`;
}

/**
 * Before anything is ended, by the checks of `republish doctor` for the role of a worker: whoever cannot
 * write the audit would leave a run without one.
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
