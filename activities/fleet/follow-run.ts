import type { Context } from '@temporalio/activity';
import { unlessAborted } from '../../async/wait';
import type { OperatorEnd } from '../../contract/fleet';
import type { FollowRunInput, FollowRunResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { requestInHistory } from '../../temporal/payloads';
import { endOfFailedRun } from '../../rules/run-end';
import { differencesOf } from '../../rules/same-request';
import type { ActivityCall } from '../dependencies';
import { type DescribedRun, describeRun, newestOfChain } from '../../temporal/describe-run';

type HowEnded = Pick<OperatorEnd, 'outcome' | 'failure'>;

const DELETED = 'Temporal has no such run any more';

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
  const newest = (): Promise<DescribedRun | undefined> => newestOfChain(client, workflowId, runId);
  // A run may hold for weeks. Temporal deletes its first execution meanwhile, and the run goes on.
  const described = (runId && (await describeRun(client, { workflowId, runId }))) || (await newest());
  if (described === undefined)
    return { same: false, end: { operatorUserId, ...(runId ? { runId } : {}), ...unknownEnd(DELETED) } };
  const { current, startedAt } = described;
  const first = runId ?? (described.firstRunId || current);
  const end = (ended: HowEnded): OperatorEnd => ({ operatorUserId, runId: first, ...ended });
  const differs = differencesOf(await requestInHistory(client, { workflowId, runId: current }), request);
  const same = differs.length === 0;
  if (!same) {
    show(() => ({ waitsFor: { operatorUserId, runId: first, begunAt: startedAt, differs } }));
  }
  try {
    // The SDK's long poll cannot be aborted, but this wait can.
    await unlessAborted(client.workflow.getHandle(workflowId, current).result(), signal);
    return { same, end: end({ outcome: 'complete' }) };
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'WorkflowFailedError')
      return { same, end: end(endOfFailedRun(thrown)) };
    // For a run of another request only its end matters. This worker may not be able to read how it ended.
    signal.throwIfAborted();
    const now = await newest();
    if (now === undefined) return { same, end: end(unknownEnd(DELETED)) };
    if (same || !now.isClosed) throw thrown;
    return { same, end: end(unknownEnd('how it ended cannot be read here')) };
  }
}

function unknownEnd(message: string): HowEnded {
  return { outcome: 'failed', failure: { type: 'Unexpected', message } };
}
