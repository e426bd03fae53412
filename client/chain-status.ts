import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { PROGRESS_QUERY, SEARCH_ATTRIBUTES } from '../contract/names';
import type { Obstacle } from '../contract/obstacle';
import { RUN_OUTCOMES, type RunOutcome } from '../contract/progress';
import { outcomeOfFailure } from '../rules/run-end';
import { type Chain, describeChain } from './chain';
import { obstacleOf } from './obstacle';
import { obstacleFacts } from './obstacle-facts';
import { RepublishFailed } from './errors';
import { asRepublishFailed, isUnreachable, isUnreadable } from './temporal-errors';

/** What can be seen of a run or a fleet from outside, also while no worker answers. */
export interface ChainStatus<Progress> {
  /**
   * `republish-operator-configs/<operator>` for a run; `republish-fleet` or `republish-fleet/<task queue>`.
   */
  workflowId: string;
  /** Temporal's `firstExecutionRunId`: the key in the ledger and the audit. It survives continue-as-new. */
  runId: string;
  /** As Temporal names it: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED or TIMED_OUT. */
  status: string;
  /** Start of the newest execution, ISO 8601. */
  startedAt: string;
  /** ISO 8601; null while it is running. */
  closedAt: string | null;
  /**
   * The outcome in its audit row. Null while it is running. Also null if this client cannot read the result,
   * because it lacks the data converter.
   */
  outcome: RunOutcome | null;
  /** Task queue of the workers. */
  taskQueue: string;
  /** Why it was started (Temporal's memo); absent where nobody gave a reason. */
  reason?: string;
  /** Answer of the query `progress`; null while no worker answers. */
  progress: Progress | null;
  /** Why no worker can make progress; null: no such reason is known, or it has ended. */
  obstacle: Obstacle | null;
  /** Somebody asked Temporal to cancel it. `progress.cancelling` tells whether the workflow has noticed. */
  cancelRequested: boolean;
  /** Since when Temporal does not answer (ISO 8601): the rest is older than that. Null while it answers. */
  unreachableSince: string | null;
}

/** What the status of a run or a fleet has beyond that of the other. */
export interface StatusKind<Progress, Own> {
  /**
   * From the answer of the query and from what the pending activities reported.
   *
   * @param only the caller uses only the progress: further questions to Temporal may be left out
   */
  ownStatus(
    description: WorkflowExecutionDescription,
    told: Progress | null,
    only?: 'progress',
  ): Promise<Own & { progress: Progress | null }>;
  /** The outcome of an execution that completed in Temporal. Absent: `complete`. */
  outcomeOf?(result: unknown): RunOutcome;
}

/** A query waits for a worker. The rest of the status is worth more than a longer wait. */
const QUERY_TIMEOUT_MS = 3_000;
const RESULT_TIMEOUT_MS = 5_000;

/** Asks Temporal, and through it a worker, how a chain stands. @throws WorkflowNotFoundError */
export async function chainStatus<Progress, Own>(
  client: Client,
  { workflowId, runId }: Chain,
  kind: StatusKind<Progress, Own>,
): Promise<ChainStatus<Progress> & Own> {
  const description = await describeChain(client, workflowId, runId);
  const { told, obstacle } = await askWorker<Progress>(client, description);
  const reason = description.memo?.reason;
  return {
    workflowId,
    runId,
    status: description.status.name,
    startedAt: description.startTime.toISOString(),
    closedAt: description.closeTime?.toISOString() ?? null,
    outcome: await outcomeOf(client, description, kind.outcomeOf),
    taskQueue: description.taskQueue,
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(await kind.ownStatus(description, told)),
    obstacle: obstacle ?? null,
    cancelRequested: description.raw.workflowExtendedInfo?.cancelRequested === true,
    unreachableSince: null,
  };
}

/**
 * Temporal's own status says less: a run is FAILED there whether it failed or only some documents do not
 * stand.
 */
async function outcomeOf(
  client: Client,
  { workflowId, runId, closeTime, status, typedSearchAttributes }: WorkflowExecutionDescription,
  ofResult?: (result: unknown) => RunOutcome,
): Promise<RunOutcome | null> {
  if (closeTime === undefined) return null;
  const told = typedSearchAttributes.get({ name: SEARCH_ATTRIBUTES.outcome, type: 'KEYWORD' });
  const known = RUN_OUTCOMES.find((outcome) => outcome === told);
  if (known !== undefined) return known;
  // Without the attribute: somebody ended it in Temporal, or the namespace does not have the attribute.
  if (status.name === 'CANCELLED') return 'cancelled';
  if (status.name === 'COMPLETED' && ofResult === undefined) return 'complete';
  if (status.name !== 'COMPLETED' && status.name !== 'FAILED') return 'failed';
  const ended = client.workflow.getHandle(workflowId, runId, { followRuns: false });
  try {
    const result = await client.withDeadline(Date.now() + RESULT_TIMEOUT_MS, () => ended.result());
    return ofResult?.(result) ?? null;
  } catch (error) {
    if (isUnreachable(error)) throw error;
    const failed = asRepublishFailed(client, error);
    return failed instanceof RepublishFailed ? outcomeOfFailure(failed.type) : null;
  }
}

/** The answer of a worker, and what keeps workers from answering. */
async function askWorker<Progress>(
  client: Client,
  description: WorkflowExecutionDescription,
): Promise<{ told: Progress | null; obstacle?: Obstacle | undefined }> {
  const ask = () => queryProgress<Progress>(client, description, QUERY_TIMEOUT_MS);
  if (description.closeTime !== undefined) return { told: await ask().catch(() => null) };
  const facts = await obstacleFacts(client, description);
  const obstacle = obstacleOf(facts);
  // A query that nobody can answer takes its whole time.
  if (obstacle !== undefined) return { told: null, obstacle };
  let answered = true;
  const told = await ask().catch((error: unknown) => {
    answered = isUnreadable(error);
    return null;
  });
  return { told, obstacle: obstacleOf({ ...facts, answered }) };
}

/**
 * What keeps workers from making progress. It asks a worker only where the answer decides.
 *
 * @param asksIfOpen also asks a worker if a workflow task is open: a worker that was lost in the last minute
 *   and a half still counts as one that polls
 */
export async function chainObstacle(
  client: Client,
  { workflowId, runId }: Chain,
  { asksIfOpen = false } = {},
): Promise<Obstacle | undefined> {
  const description = await describeChain(client, workflowId, runId);
  if (description.closeTime !== undefined) return undefined;
  const facts = await obstacleFacts(client, description);
  const known = obstacleOf(facts);
  const isDoubtful = facts.workers?.seen.length === 0 && facts.workers.gone > 0;
  const isOpen = asksIfOpen && known === undefined && facts.attempt > 0;
  if (!isDoubtful && !isOpen) return known;
  const answered = await queryProgress(client, description, QUERY_TIMEOUT_MS).then(() => true, isUnreadable);
  return obstacleOf({ ...facts, answered });
}

/** The answer of the query `progress` of one execution. @throws where no worker answers in time */
export function queryProgress<Progress>(
  client: Client,
  { workflowId, runId }: Pick<WorkflowExecutionDescription, 'workflowId' | 'runId'>,
  timeoutMs: number,
): Promise<Progress> {
  return client.withDeadline(Date.now() + timeoutMs, () =>
    client.workflow.getHandle(workflowId, runId).query<Progress>(PROGRESS_QUERY),
  );
}
