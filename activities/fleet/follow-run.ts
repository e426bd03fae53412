import type { Context } from '@temporalio/activity';
import { unlessAborted } from '../../async/wait';
import type { OperatorEnd } from '../../contract/fleet';
import type { FollowRunInput, FollowRunResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { requestInHistory } from '../../temporal/payloads';
import { endOfFailedRun } from '../../rules/run-end';
import { differencesOf } from '../../rules/same-request';
import type { ActivityCall } from '../dependencies';
import { describeRun } from '../../temporal/describe-run';

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
  const described = await describeRun(client, { workflowId, ...(runId ? { runId } : {}) });
  const first = runId ?? (described?.firstRunId || described?.current);
  const end = (ended: Pick<OperatorEnd, 'outcome' | 'failure'>): OperatorEnd => ({
    operatorUserId,
    ...(first === undefined ? {} : { runId: first }),
    ...ended,
  });
  const unknownEnd = (message: string): OperatorEnd =>
    end({ outcome: 'failed', failure: { type: 'Unexpected', message } });
  if (described === undefined) return { same: false, end: unknownEnd('Temporal has no such run any more') };
  const { current, firstRunId, startedAt } = described;
  const differs = differencesOf(await requestInHistory(client, { workflowId, runId: current }), request);
  const same = differs.length === 0;
  if (!same) {
    show(() => ({
      waitsFor: { operatorUserId, runId: runId ?? (firstRunId || current), begunAt: startedAt, differs },
    }));
  }
  try {
    // The SDK's long poll cannot be aborted, but this wait can.
    await unlessAborted(client.workflow.getHandle(workflowId, runId ?? current).result(), signal);
    return { same, end: end({ outcome: 'complete' }) };
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'WorkflowFailedError')
      return { same, end: end(endOfFailedRun(thrown)) };
    // For a run of another request only its end matters. This worker may not be able to read how it ended.
    const newest = await describeRun(client, { workflowId });
    if (newest === undefined) return { same, end: unknownEnd('Temporal has no such run any more') };
    if (same || signal.aborted || !newest.isClosed) throw thrown;
    return { same, end: unknownEnd('how it ended cannot be read here') };
  }
}
