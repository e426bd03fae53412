import type { Context } from '@temporalio/activity';
import { unlessAborted } from '../../async/wait';
import type { OperatorEnd } from '../../contract/fleet';
import type { FollowRunInput, FollowRunResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { requestInHistory } from '../../temporal/payloads';
import { endOfFailedRun } from '../../rules/run-end';
import { differencesOf } from '../../rules/same-request';
import type { ActivityCall } from '../dependencies';
import { describeRun } from './describe-run';

/**
 * Waits for the end of a run that is no child of this execution: somebody else started it, or an earlier
 * execution of the fleet did. It returns only the outcome: the result may be large.
 */
export async function followRun(
  client: Context['client'],
  { operatorUserId, runId, request }: FollowRunInput,
  { signal, show }: Pick<ActivityCall, 'signal' | 'show'>,
): Promise<FollowRunResult> {
  const workflowId = workflowIdFor(operatorUserId);
  const { current, firstRunId, startedAt } = await describeRun(client, {
    workflowId,
    ...(runId ? { runId } : {}),
  });
  const first = runId ?? (firstRunId || current);
  const end = (ended: Pick<OperatorEnd, 'outcome' | 'failure'>): OperatorEnd => ({
    operatorUserId,
    runId: first,
    ...ended,
  });
  const differs = differencesOf(await requestInHistory(client, { workflowId, runId: current }), request);
  const same = differs.length === 0;
  if (!same) {
    show(() => ({ waitsFor: { operatorUserId, runId: first, begunAt: startedAt, differs } }));
  }
  try {
    // The SDK's long poll cannot be aborted, but this wait can.
    await unlessAborted(client.workflow.getHandle(workflowId, runId ?? current).result(), signal);
    return { same, end: end({ outcome: 'complete' }) };
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'WorkflowFailedError')
      return { same, end: end(endOfFailedRun(thrown)) };
    // For a run of another request only its end matters. This worker may not be able to read how it ended.
    if (same || signal.aborted || !(await describeRun(client, { workflowId })).isClosed) throw thrown;
    const message = 'how it ended cannot be read here';
    return { same, end: end({ outcome: 'failed', failure: { type: 'Unexpected', message } }) };
  }
}
