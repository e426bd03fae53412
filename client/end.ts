import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { ENDED_BY_COMMAND } from '../contract/names';
import { describeChain } from './chain';
import { explained } from './temporal-errors';

const REASON_IN_CLEAR = `ended ${ENDED_BY_COMMAND}: its audit says by whom and why`;

/**
 * Terminates the newest execution of a run or fleet. A terminated workflow cannot write its audit: the caller
 * writes it.
 *
 * @returns false where it had ended already @throws TemporalUnavailable, TemporalRefused
 */
export async function terminate(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
  reason: string,
): Promise<boolean> {
  // Temporal keeps this reason as plain text. Where a codec encodes what people write, only the audit has it.
  const isEncoded = client.options.loadedDataConverter.payloadCodecs.length > 0;
  return explained(client, async () => {
    if (!(await goesOn(client, workflowId, runId))) return false;
    const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
    try {
      await handle.terminate(isEncoded ? REASON_IN_CLEAR : reason);
      return true;
    } catch (error) {
      // It ended in this moment, or has just continued as new.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      return (await goesOn(client, workflowId, runId))
        ? terminate(client, { workflowId, runId }, reason)
        : false;
    }
  });
}

async function goesOn(client: Client, workflowId: string, runId: string): Promise<boolean> {
  return (await describeChain(client, workflowId, runId)).closeTime === undefined;
}
