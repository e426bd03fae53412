import type { Context } from '@temporalio/activity';
import type { ControlRequest, ControlResult } from '../../contract/control';
import type { FleetUpdateName } from '../../contract/fleet';
import type { OperatorRun, SpeakToRunsInput, SpeakToRunsResult } from '../../contract/fleet-activities';
import { workflowIdFor } from '../../contract/names';
import { sendUpdate } from '../../temporal/send-update';
import { newestOfChain } from '../../temporal/describe-run';

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
  { action, ...update }: { action: FleetUpdateName; request: ControlRequest; updateId: string },
): Promise<keyof SpeakToRunsResult | 'refused'> {
  // That run in its newest execution, and not another run that somebody started since.
  const workflowId = workflowIdFor(operatorUserId);
  const continues = async (): Promise<boolean> => {
    const newest = await newestOfChain(client, workflowId, runId);
    return newest !== undefined && !newest.isClosed;
  };
  try {
    const deadlineMs = Date.now() + ANSWER_WITHIN_MS;
    await sendUpdate<ControlResult, ControlRequest>(
      client,
      { workflowId, runId },
      { name: action, ...update, deadlineMs },
      continues,
    );
    return 'taken';
  } catch (thrown) {
    switch (thrown instanceof Error ? thrown.name : '') {
      case 'WorkflowUpdateFailedError':
        return 'refused';
      case 'WorkflowUpdateRPCTimeoutOrCancelledError':
        return 'unanswered';
      case 'WorkflowNotFoundError':
        return (await continues()) ? 'unanswered' : 'refused';
      default:
        throw thrown;
    }
  }
}
