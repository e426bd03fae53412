import type { Client } from '@temporalio/client';

/** A run of many documents is a chain of executions under one workflow id; its first one names it. */
export interface Chain {
  firstRunId: string;
  /** The newest execution of the chain. */
  runId: string;
}

/** The chain that a workflow id stands for now. @throws WorkflowNotFoundError */
export async function newestChain(client: Client, workflowId: string): Promise<Chain> {
  const { runId, raw } = await client.workflow.getHandle(workflowId).describe();
  // A server that is too old to say has the first run id in each execution's first event.
  const firstRunId = raw.workflowExecutionInfo?.firstRunId || (await firstRunIdOf(client, workflowId, runId));
  return { firstRunId, runId };
}

/** The newest execution of a chain, also when the workflow id stands for another one meanwhile. */
export async function currentRunId(client: Client, workflowId: string, firstRunId: string): Promise<string> {
  const newest = await newestChain(client, workflowId);
  if (newest.firstRunId === firstRunId) return newest.runId;
  for (let runId = firstRunId; ;) {
    const next = await successorOf(client, workflowId, runId);
    if (next === undefined) return runId;
    runId = next;
  }
}

async function firstRunIdOf(client: Client, workflowId: string, runId: string): Promise<string> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId || runId;
}

/** The execution that took over from one that has ended. */
export async function successorOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<string | undefined> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    historyEventFilterType: 2, // HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
  });
  const closed = history?.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
  return closed?.newExecutionRunId || undefined;
}
