import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { unreadableAsNull } from './unreadable-as-null';

/*
 * A run or a fleet is a chain of executions under one workflow id, because it continues as new. The run id of
 * its first execution names it. Queries and updates go to its newest execution.
 */

/** Names a chain, also after a later chain has taken the same workflow id. */
export interface Chain {
  workflowId: string;
  /** Of its first execution. */
  runId: string;
}

const DESCRIBE_TIMEOUT_MS = 5_000;

/** The run id of the newest chain of a workflow id. @throws WorkflowNotFoundError */
export async function newestChain(client: Client, workflowId: string): Promise<string> {
  return firstRunIdOf(client, await describe(client, workflowId));
}

/** The newest execution of a chain, also after a later chain has taken the same workflow id. */
export async function describeChain(
  client: Client,
  workflowId: string,
  firstRunId: string,
): Promise<WorkflowExecutionDescription> {
  const newest = await describe(client, workflowId);
  if ((await firstRunIdOf(client, newest)) === firstRunId) return newest;
  for (let runId = firstRunId; ;) {
    const next = await successorOf(client, workflowId, runId);
    if (next === undefined) return describe(client, workflowId, runId);
    runId = next;
  }
}

function describe(client: Client, workflowId: string, runId?: string): Promise<WorkflowExecutionDescription> {
  return withTimeout(client, () => unreadableAsNull(client).getHandle(workflowId, runId).describe());
}

/** Older servers do not return the first run id. Then it is in the first event of each execution. */
async function firstRunIdOf(
  client: Client,
  { workflowId, runId, raw }: WorkflowExecutionDescription,
): Promise<string> {
  const told = raw.workflowExecutionInfo?.firstRunId;
  if (told) return told;
  const { history } = await withTimeout(client, () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    }),
  );
  return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId || runId;
}

/** The next execution of a chain; undefined where there is none. */
export async function successorOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<string | undefined> {
  const { history } = await withTimeout(client, () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      historyEventFilterType: 2, // HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
    }),
  );
  const closed = history?.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
  return closed?.newExecutionRunId || undefined;
}

function withTimeout<T>(client: Client, ask: () => Promise<T>): Promise<T> {
  return client.withDeadline(Date.now() + DESCRIBE_TIMEOUT_MS, ask);
}
