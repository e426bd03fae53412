import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { PROGRESS_QUERY } from '../contract/names';
import type { Progress } from '../contract/progress';
import { describeChain } from './chain';
import { type LiveValues, liveValues } from './live-values';
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
  /** Phase, counts by outcome as of the last results of the pages, failures; null while no worker answers. */
  progress: Progress | null;
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
  const told = await query(client, description, QUERY_TIMEOUT_MS).catch(() => null);
  const { inWork, retrying, heartbeats } = await openSteps(client, pendingOf(description), told);
  const live = liveValues(told, heartbeats);
  return {
    workflowId,
    runId,
    status: description.status.name,
    startedAt: description.startTime.toISOString(),
    closedAt: description.closeTime?.toISOString() ?? null,
    taskQueue: description.taskQueue,
    progress: told && { ...told, ...live },
    ...live,
    inWork,
    retrying,
    unreachableSince: null,
  };
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
