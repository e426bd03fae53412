import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPE, workflowIdFor } from '../contract/names';

const MAX_RUNS = 1_000;
const TIMEOUT_MS = 3_000;

/**
 * The operators of the newest 1,000 runs that Temporal knows. They are only for "did you mean", so a failure
 * here returns what is known so far.
 */
export async function knownOperators(client: Client): Promise<string[]> {
  const prefix = workflowIdFor('');
  const known = new Set<string>();
  let runs = 0;
  const list = async (): Promise<void> => {
    for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${WORKFLOW_TYPE}'` })) {
      if (workflowId.startsWith(prefix)) known.add(workflowId.slice(prefix.length));
      if (++runs === MAX_RUNS) return;
    }
  };
  await client.withDeadline(Date.now() + TIMEOUT_MS, list).catch(() => undefined);
  return [...known];
}
