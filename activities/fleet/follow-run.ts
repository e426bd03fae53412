import type { Context } from '@temporalio/activity';
import { optionalTsToDate } from '@temporalio/common/lib/time';
import { unlessAborted } from '../../async/wait';
import type { OperatorEnd } from '../../contract/fleet';
import type { FollowRunInput, FollowRunResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { requestInHistory } from '../../temporal/payloads';
import { endOfFailedRun } from '../../rules/run-end';
import { differencesOf } from '../../rules/same-request';
import type { ActivityCall } from '../dependencies';

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
  const { current, firstRunId, startedAt } = await describe(client, {
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
    if (same || signal.aborted || !(await describe(client, { workflowId })).isClosed) throw thrown;
    const message = 'how it ended cannot be read here';
    return { same, end: end({ outcome: 'failed', failure: { type: 'Unexpected', message } }) };
  }
}

/** `WorkflowExecutionStatus` in Temporal's API: unknown, running, continued as new, paused. */
const GOING_ON: readonly number[] = [0, 1, 6, 8];

/**
 * Asks the server directly, and not through the SDK. The SDK also decodes the memo, and would fail for ever
 * on a run that was started with another data converter.
 */
async function describe(
  client: Context['client'],
  execution: { workflowId: string; runId?: string },
): Promise<{ current: string; firstRunId: string; startedAt: string; isClosed: boolean }> {
  const { namespace } = client.options;
  const { workflowExecutionInfo: info } = await client.workflowService.describeWorkflowExecution({
    namespace,
    execution,
  });
  return {
    current: info?.execution?.runId ?? '',
    firstRunId: info?.firstRunId ?? '',
    startedAt: (optionalTsToDate(info?.startTime) ?? new Date()).toISOString(),
    isClosed: !GOING_ON.includes(info?.status ?? 0),
  };
}
