import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { tolerant } from './tolerant';

/*
 * A run of many documents is a chain of executions under one workflow id. Its first execution names it, and
 * whatever is asked of the run is for the newest one.
 */

/** Names a chain, also when another one has the same workflow id meanwhile. */
export interface Chain {
  workflowId: string;
  /** Of its first execution. */
  runId: string;
}

const DESCRIBE_TIMEOUT_MS = 5_000;

/** The first run id of the chain that a workflow id stands for now. @throws WorkflowNotFoundError */
export async function newestChain(client: Client, workflowId: string): Promise<string> {
  return firstRunIdOf(client, await describe(client, workflowId));
}

/** The newest execution of a chain, also when the workflow id stands for another one meanwhile. */
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
  return inTime(client, () => tolerant(client).getHandle(workflowId, runId).describe());
}

/** A server that is too old to say has the first run id in each execution's first event. */
async function firstRunIdOf(
  client: Client,
  { workflowId, runId, raw }: WorkflowExecutionDescription,
): Promise<string> {
  const told = raw.workflowExecutionInfo?.firstRunId;
  if (told) return told;
  const { history } = await inTime(client, () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    }),
  );
  return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId || runId;
}

/** The execution that took over from one that has ended. */
export async function successorOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<string | undefined> {
  const { history } = await inTime(client, () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      historyEventFilterType: 2, // HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
    }),
  );
  const closed = history?.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
  return closed?.newExecutionRunId || undefined;
}

function inTime<T>(client: Client, ask: () => Promise<T>): Promise<T> {
  return client.withDeadline(Date.now() + DESCRIBE_TIMEOUT_MS, ask);
}
