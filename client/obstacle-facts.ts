import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import type { ObstacleFacts, TaskFailure, TaskQueueWorkers } from './obstacle';

const ANSWER_TIMEOUT_MS = 5_000;
/** A worker that waits for work shows itself at least once a minute. */
const SEEN_WITHIN_MS = 90_000;
/** Events behind a task that fails: what has come meanwhile. More would be a history of their own. */
const EVENTS_LOOKED_AT = 100;
/** `TaskQueueType`, `WorkerVersioningMode` and `VersioningBehavior` of Temporal's API. */
const WORKFLOW_TASKS = 1;
const VERSIONED = 2;
const PINNED = 1;

/** Asks Temporal what there is to know of a run that goes on; the run itself is not asked. */
export async function obstacleFacts(
  client: Client,
  { workflowId, runId, taskQueue, raw }: WorkflowExecutionDescription,
): Promise<ObstacleFacts> {
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  const [workers, lastFailure] = await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () =>
    Promise.all([
      // Who may not ask that sees the rest.
      workersOf(client, taskQueue).catch(() => undefined),
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

/** Who polls a task queue for workflow tasks. */
export async function workersOf(client: Client, taskQueue: string): Promise<TaskQueueWorkers> {
  const { pollers, versioningInfo } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: WORKFLOW_TASKS,
  });
  const seen = (pollers ?? []).filter(
    ({ lastAccessTime }) => lastAccessTime != null && Date.now() - tsToMs(lastAccessTime) < SEEN_WITHIN_MS,
  );
  const ramps = (versioningInfo?.rampingVersionPercentage ?? 0) > 0;
  return {
    seen: seen.map(({ deploymentOptions: build }) =>
      build?.workerVersioningMode === VERSIONED ? nameOf(build) : null,
    ),
    routesTo: [
      nameOf(versioningInfo?.currentDeploymentVersion),
      ...(ramps ? [nameOf(versioningInfo?.rampingDeploymentVersion)] : []),
    ],
  };
}

interface BuildName {
  deploymentName?: string | null;
  buildId?: string | null;
}

function nameOf(build: BuildName | null | undefined): string | null {
  return build?.buildId ? `${build.deploymentName}:${build.buildId}` : null;
}

function pinnedBuild({ workflowExecutionInfo }: WorkflowExecutionDescription['raw']): string | undefined {
  const { behavior, deploymentVersion, versioningOverride } = workflowExecutionInfo?.versioningInfo ?? {};
  const pinned = versioningOverride?.pinned?.version;
  if (versioningOverride != null) return nameOf(pinned) ?? undefined;
  return behavior === PINNED ? (nameOf(deploymentVersion) ?? undefined) : undefined;
}

/** Only the first attempt that failed is an event; those behind it are not written down. */
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
