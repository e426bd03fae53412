import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { OperatorRun } from '../contract/fleet-activities';
import { operatorOf } from '../contract/names';
import { describeChain } from './chain';
import { RunNotFound } from './errors';
import { explained } from './temporal-errors';

const REASON_IN_CLEAR = 'republish end: its audit says who ended it and why';

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

/**
 * The runs that the newest execution of a fleet has begun and that have not ended. Temporal knows them also
 * where no worker has taken a run, and after the fleet was terminated.
 *
 * @throws TemporalUnavailable, TemporalRefused
 */
export async function begunRuns(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<OperatorRun[]> {
  const { raw } = await explained(client, () => describeChain(client, workflowId, runId));
  const begun = await Promise.all(
    (raw.pendingChildren ?? []).map(async (child): Promise<OperatorRun[]> => {
      const operatorUserId = operatorOf(child.workflowId ?? '');
      if (operatorUserId === undefined || !child.runId || !child.workflowId) return [];
      const { workflowId, runId } = child;
      const continues = await explained(client, () => goesOn(client, workflowId, runId)).catch(
        (error: unknown) => {
          // Temporal has forgotten it, so it has ended.
          if (error instanceof RunNotFound) return false;
          throw error;
        },
      );
      return continues ? [{ operatorUserId, runId }] : [];
    }),
  );
  return begun.flat();
}

async function goesOn(client: Client, workflowId: string, runId: string): Promise<boolean> {
  return (await describeChain(client, workflowId, runId)).closeTime === undefined;
}
