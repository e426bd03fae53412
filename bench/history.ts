import type { Client } from '@temporalio/client';
import { successorOf } from '../client/chain';
import type { RepublishRun } from '../client';

/** What a run has left in Temporal. */
export interface HistoryFacts {
  executions: number;
  events: number;
  bytes: number;
  largestEvents: number;
  largestBytes: number;
}

export async function historyOf(client: Client, run: RepublishRun): Promise<HistoryFacts> {
  const facts: HistoryFacts = { executions: 0, events: 0, bytes: 0, largestEvents: 0, largestBytes: 0 };
  let runId: string | undefined = run.runId;
  while (runId !== undefined) {
    const { raw } = await client.workflow.getHandle(run.workflowId, runId).describe();
    const events = Number(raw.workflowExecutionInfo?.historyLength ?? 0);
    const bytes = Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0);
    facts.executions += 1;
    facts.events += events;
    facts.bytes += bytes;
    facts.largestEvents = Math.max(facts.largestEvents, events);
    facts.largestBytes = Math.max(facts.largestBytes, bytes);
    runId = await successorOf(client, run.workflowId, runId);
  }
  return facts;
}
