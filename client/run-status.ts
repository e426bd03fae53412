import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { PROGRESS_QUERY } from '../contract/names';
import type { Obstacle } from '../contract/obstacle';
import type { Progress } from '../contract/progress';
import { describeChain } from './chain';
import { type LiveValues, liveValues } from './live-values';
import { obstacleOf } from './obstacle';
import { obstacleFacts } from './obstacle-facts';
import { isUnreadable } from './temporal-errors';
import { openSteps, type Retry, type Step } from './run-steps';

/**
 * Everything that can be seen of a run from outside, also while no worker answers: how many documents have
 * come how far (`stages`), at most 20 that wait and why (`waiting`), and pages on which a person has to
 * approve (`approvals`).
 */
export interface RunStatus extends LiveValues {
  workflowId: string;
  /** Stays the same when the workflow continues as new; the key of the audit. */
  runId: string;
  /** As Temporal names it: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED or TIMED_OUT. */
  status: string;
  /** ISO 8601. */
  startedAt: string;
  /** ISO 8601; null while the run goes on. */
  closedAt: string | null;
  taskQueue: string;
  /** Why it was started, if whoever did has said so. */
  reason?: string;
  /** Phase, counts by outcome as of the last results of the pages, failures; null while no worker answers. */
  progress: Progress | null;
  /**
   * Why it does not move, where nobody works on it or nobody can; null: nothing of that kind, or it has
   * ended.
   */
  obstacle: Obstacle | null;
  /** Its cancellation was asked for; `progress.cancelling` says whether the run has taken it up. */
  cancelRequested: boolean;
  /** What is in work and has not failed, longest first. */
  inWork: Step[];
  /** What is being retried, soonest first. */
  retrying: Retry[];
  /**
   * Since when Temporal itself does not answer (ISO 8601): the rest is as it was last seen. Null while it
   * does.
   */
  unreachableSince: string | null;
}

/** A query waits for a worker; where there is none, the rest of the status is worth more than the wait. */
const QUERY_TIMEOUT_MS = 3_000;

/** Asks Temporal how the chain of executions that began as `runId` stands. */
export async function runStatus(client: Client, workflowId: string, runId: string): Promise<RunStatus> {
  const description = await describeChain(client, workflowId, runId);
  const { told, obstacle } = await whatItSays(client, description, () =>
    query(client, description, QUERY_TIMEOUT_MS),
  );
  const { inWork, retrying, heartbeats } = await openSteps(client, pendingOf(description), told);
  const live = liveValues(told, heartbeats);
  const reason = description.memo?.reason;
  return {
    workflowId,
    runId,
    status: description.status.name,
    startedAt: description.startTime.toISOString(),
    closedAt: description.closeTime?.toISOString() ?? null,
    taskQueue: description.taskQueue,
    ...(typeof reason === 'string' ? { reason } : {}),
    progress: told && { ...told, ...live },
    ...live,
    obstacle: obstacle ?? null,
    cancelRequested: description.raw.workflowExtendedInfo?.cancelRequested === true,
    inWork,
    retrying,
    unreachableSince: null,
  };
}

/**
 * What a run or a fleet says of itself, and what keeps it from that: it is not asked where nobody can answer.
 */
export async function whatItSays<Told>(
  client: Client,
  description: WorkflowExecutionDescription,
  ask: () => Promise<Told>,
): Promise<{ told: Told | null; obstacle?: Obstacle | undefined }> {
  if (description.closeTime !== undefined) return { told: await ask().catch(() => null) };
  const facts = await obstacleFacts(client, description);
  const obstacle = obstacleOf(facts);
  if (obstacle !== undefined) return { told: null, obstacle };
  let answered = true;
  const told = await ask().catch((error: unknown) => {
    answered = isUnreadable(error);
    return null;
  });
  return { told, obstacle: obstacleOf({ ...facts, answered }) };
}

/** The same without asking the run, unless only that can tell. */
export async function runObstacle(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<Obstacle | undefined> {
  const description = await describeChain(client, workflowId, runId);
  if (description.closeTime !== undefined) return undefined;
  const facts = await obstacleFacts(client, description);
  const isDoubtful = facts.workers?.seen.length === 0 && facts.workers.gone > 0;
  if (!isDoubtful) return obstacleOf(facts);
  const answered = await query(client, description, QUERY_TIMEOUT_MS).then(() => true, isUnreadable);
  return obstacleOf({ ...facts, answered });
}

/** Asks the run itself, and adds what its pages in work have told. @throws where no worker answers in time */
export async function runProgressNow(
  client: Client,
  workflowId: string,
  runId: string,
  timeoutMs: number,
): Promise<Progress> {
  const description = await describeChain(client, workflowId, runId);
  const told = await query(client, description, timeoutMs);
  const { heartbeats } = await openSteps(client, pendingOf(description), told);
  return { ...told, ...liveValues(told, heartbeats) };
}

type PendingActivities = Parameters<typeof openSteps>[1];

function pendingOf({ raw }: WorkflowExecutionDescription): PendingActivities {
  return raw.pendingActivities ?? [];
}

function query(
  client: Client,
  { workflowId, runId }: Pick<WorkflowExecutionDescription, 'workflowId' | 'runId'>,
  timeoutMs: number,
): Promise<Progress> {
  return client.withDeadline(Date.now() + timeoutMs, () =>
    client.workflow.getHandle(workflowId, runId).query<Progress>(PROGRESS_QUERY),
  );
}
