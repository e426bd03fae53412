import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { buildName, type TaskQueueWorkers, workersOf } from '../rules/task-queue';
import type { ObstacleFacts, TaskFailure } from './obstacle';

const ANSWER_TIMEOUT_MS = 5_000;
/** The failed task is among the last events of the history. More events than these are not read. */
const EVENTS_LOOKED_AT = 100;
/** `TaskQueueType` and `VersioningBehavior` of Temporal's API. */
const WORKFLOW_TASKS = 1;
const PINNED = 1;

/** Asks Temporal about the workflow task and the pollers of a running execution. It asks no worker. */
export async function obstacleFacts(
  client: Client,
  { workflowId, runId, taskQueue, raw }: WorkflowExecutionDescription,
): Promise<ObstacleFacts> {
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  const [workers, lastFailure] = await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () =>
    Promise.all([
      // A caller without the right to ask this sees the rest.
      whoPolls(client, taskQueue).catch(() => undefined),
      attempt > 1 ? lastFailureOf(client, workflowId, runId).catch(() => undefined) : undefined,
    ]),
  );
  const pinnedTo = pinnedBuild(raw);
  return {
    taskQueue,
    attempt,
    ...(workers === undefined ? {} : { workers }),
    ...(lastFailure === undefined ? {} : { lastFailure }),
    ...(pinnedTo === undefined ? {} : { pinnedTo }),
  };
}

async function whoPolls(client: Client, taskQueue: string): Promise<TaskQueueWorkers> {
  const description = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: WORKFLOW_TASKS,
  });
  return workersOf(description, Date.now());
}

function pinnedBuild({ workflowExecutionInfo }: WorkflowExecutionDescription['raw']): string | undefined {
  const { behavior, deploymentVersion, versioningOverride } = workflowExecutionInfo?.versioningInfo ?? {};
  const pinned = versioningOverride?.pinned?.version;
  if (versioningOverride != null) return buildName(pinned) ?? undefined;
  return behavior === PINNED ? (buildName(deploymentVersion) ?? undefined) : undefined;
}

/** Temporal writes an event for the first failed attempt of a workflow task only, and none for later ones. */
async function lastFailureOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<TaskFailure | undefined> {
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: EVENTS_LOOKED_AT,
  });
  for (const event of history?.events ?? []) {
    const { workflowTaskFailedEventAttributes: failed } = event;
    if (failed) return { cause: failed.cause ?? 0, message: failed.failure?.message ?? '' };
    if (event.workflowTaskTimedOutEventAttributes) return { cause: 'timeout', message: '' };
    if (event.workflowTaskCompletedEventAttributes) return undefined;
  }
  return undefined;
}
