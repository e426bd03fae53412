import type { Context } from '@temporalio/activity';
import type { ControlRequest, ControlResult } from '../../contract/control';
import type { OperatorRun, SpeakToRunsInput, SpeakToRunsResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';

/**
 * Most updates at the same time: a fleet may have two hundred runs, and each answer takes a workflow task.
 */
const AT_ONCE = 10;

/**
 * Pauses, resumes or cancels runs of a fleet by the same updates that a person uses. A workflow cannot send
 * updates. A run that refuses (it is ending, or in that state already) or has ended is left alone.
 */
export async function speakToRuns(
  client: Context['client'],
  { action, runs, by, reason }: SpeakToRunsInput,
  signal: AbortSignal,
): Promise<SpeakToRunsResult> {
  const request: ControlRequest = {
    ...(by == null ? {} : { by }),
    ...(reason == null ? {} : { reason }),
  };
  const waiting = [...runs];
  const taken: string[] = [];
  const lane = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      signal.throwIfAborted();
      if (await controlRun(client, run, action, request)) taken.push(run.operatorUserId);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { taken };
}

async function controlRun(
  client: Context['client'],
  { operatorUserId, runId }: OperatorRun,
  action: SpeakToRunsInput['action'],
  request: ControlRequest,
): Promise<boolean> {
  // The current execution of that run, and not another run that somebody started since.
  const handle = client.workflow.getHandle(workflowIdFor(operatorUserId), undefined, {
    firstExecutionRunId: runId,
  });
  try {
    await handle.executeUpdate<ControlResult, [ControlRequest]>(action, { args: [request] });
    return true;
  } catch (thrown) {
    const { name = '' } = thrown as Partial<Error>;
    if (name === 'WorkflowUpdateFailedError' || name === 'WorkflowNotFoundError') return false;
    throw thrown;
  }
}
