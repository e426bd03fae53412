import type { Context } from '@temporalio/activity';
import type { OperatorEnd } from '../../contract/fleet';
import type { FollowRunInput, FollowRunResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { requestInHistory } from '../../contract/payloads';
import { endOfFailedRun } from '../../contract/run-end';
import { differencesOf } from '../../contract/same-request';
import type { ActivityCall } from '../dependencies';

/**
 * Waits for the end of a run that is no child of this execution: somebody else started it, or an execution of the fleet
 * that has continued as new since. Of its result, which may be large, only the outcome is told.
 */
export async function followRun(
  client: Context['client'],
  { operatorUserId, runId, request }: FollowRunInput,
  { signal, show }: Pick<ActivityCall, 'signal' | 'show'>,
): Promise<FollowRunResult> {
  const workflowId = workflowIdFor(operatorUserId);
  const { runId: current, raw, startTime } = await client.workflow.getHandle(workflowId, runId).describe();
  const first = runId ?? raw.workflowExecutionInfo?.firstRunId ?? current;
  const end = (ended: Pick<OperatorEnd, 'outcome' | 'failure'>): OperatorEnd => ({
    operatorUserId,
    runId: first,
    ...ended,
  });
  const differs = differencesOf(await requestInHistory(client, { workflowId, runId: current }), request);
  const same = differs.length === 0;
  if (!same) {
    const begunAt = startTime.toISOString();
    show(() => ({ waitsFor: { operatorUserId, runId: first, begunAt, differs } }));
  }
  try {
    await untilAborted(client.workflow.getHandle(workflowId, runId ?? current).result(), signal);
    return { same, end: end({ outcome: 'complete' }) };
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name !== 'WorkflowFailedError') throw thrown;
    return { same, end: end(endOfFailedRun(thrown)) };
  }
}

/** The SDK's long poll cannot be aborted; whoever waits for it can. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason as Error);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
