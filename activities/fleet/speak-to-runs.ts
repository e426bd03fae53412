import type { Context } from '@temporalio/activity';
import { sleep } from '../../async/wait';
import type { ControlRequest, ControlResult } from '../../contract/control';
import type { OperatorRun, SpeakToRunsInput, SpeakToRunsResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { describeRun } from './describe-run';

/**
 * Most updates at the same time: a fleet may have two hundred runs, and each answer takes a workflow task.
 */
const AT_ONCE = 10;
/** A run answers with its next workflow task. One that is stuck must not keep the others from the control. */
const ANSWER_WITHIN_MS = 10_000;

/**
 * Pauses, resumes or cancels runs of a fleet by the same updates that a person uses. A workflow cannot send
 * updates. A run that refuses (it is ending, or in that state already) or has ended is left alone.
 *
 * @param updateId the same for each attempt: Temporal gives a repeated update its first answer, so an attempt
 *   whose result was lost is no refusal the second time
 */
export async function speakToRuns(
  client: Context['client'],
  { action, runs, by, reason }: SpeakToRunsInput,
  { updateId, signal }: { updateId: string; signal: AbortSignal },
): Promise<SpeakToRunsResult> {
  const request: ControlRequest = {
    ...(by == null ? {} : { by }),
    ...(reason == null ? {} : { reason }),
  };
  const waiting = [...runs];
  const result: SpeakToRunsResult = { taken: [], unanswered: [] };
  const lane = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      signal.throwIfAborted();
      const answer = await controlRun(client, run, { action, request, updateId });
      if (answer !== 'refused') result[answer].push(run.operatorUserId);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return result;
}

async function controlRun(
  client: Context['client'],
  { operatorUserId, runId }: OperatorRun,
  update: { action: SpeakToRunsInput['action']; request: ControlRequest; updateId: string },
): Promise<keyof SpeakToRunsResult | 'refused'> {
  // The current execution of that run, and not another run that somebody started since.
  const workflowId = workflowIdFor(operatorUserId);
  const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
  const { action, request, updateId } = update;
  for (const deadlineMs = Date.now() + ANSWER_WITHIN_MS; ;) {
    try {
      await client.withDeadline(deadlineMs, () =>
        handle.executeUpdate<ControlResult, [ControlRequest]>(action, { args: [request], updateId }),
      );
      return 'taken';
    } catch (thrown) {
      const { name = '' } = thrown as Partial<Error>;
      if (name === 'WorkflowUpdateFailedError') return 'refused';
      if (name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return 'unanswered';
      if (name !== 'WorkflowNotFoundError') throw thrown;
      // Between two executions nobody can take an update. The next execution can.
      const { firstRunId, isClosed } = await describeRun(client, { workflowId });
      if (isClosed || (firstRunId !== '' && firstRunId !== runId)) return 'refused';
      if (Date.now() > deadlineMs) return 'unanswered';
      await sleep(200);
    }
  }
}
