import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdReusePolicy } from '@temporalio/client';
import { loadConfiguration } from '../configuration/load';
import type { RepublishInput } from '../contract/input';
import { fairnessKeyOf, WORKFLOW_TYPE, workflowIdFor } from '../contract/names';
import { newestChain } from './chain';
import { ofOperator, RunNotFound } from './errors';
import { type RepublishRun, runOf } from './run';
import { explained } from './temporal-errors';

export interface StartOptions extends Omit<RepublishInput, 'operatorUserId'> {
  /** Task queue the workers poll. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
}

/** How long Temporal may take to say that it has a run; it is asked again meanwhile. */
const START_TIMEOUT_MS = 30_000;

/**
 * Starts a run for an operator, or attaches to the one that goes on, and does not wait for its end.
 *
 * @param client Temporal's own, such as that of `connect()`
 * @throws TemporalUnavailable, TemporalRefused; ConfigurationError when a REPUBLISH_* variable is wrong. What is wrong with
 *   the request itself is found by the run: see its result
 */
export async function startRepublish(
  client: Client,
  operatorUserId: string,
  { taskQueue, ...input }: StartOptions = {},
): Promise<RepublishRun> {
  const workflowId = workflowIdFor(operatorUserId);
  const request: RepublishInput = { operatorUserId, ...input };
  const start = () =>
    client.workflow.start(WORKFLOW_TYPE, {
      workflowId,
      taskQueue: taskQueue ?? loadConfiguration().taskQueue,
      args: [request],
      // Any earlier run may be followed by another: it does only what is missing.
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `Republish the configuration documents of operator ${operatorUserId}`,
      staticDetails: staticDetails(request),
      priority: { fairnessKey: fairnessKeyOf(operatorUserId) },
      ...(input.reason ? { memo: { reason: input.reason } } : {}),
    });
  return explained(client, async () => {
    try {
      const handle = await client.withDeadline(Date.now() + START_TIMEOUT_MS, start);
      return runOf(client, workflowId, handle.firstExecutionRunId, false);
    } catch (error) {
      // The server's own USE_EXISTING would attach without saying so.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return newestRun(client, workflowId);
    }
  });
}

/**
 * The newest run of an operator, whether it goes on or has ended.
 *
 * @throws RunNotFound when there is none that Temporal still knows; TemporalUnavailable, TemporalRefused
 */
export async function findRepublish(client: Client, operatorUserId: string): Promise<RepublishRun> {
  try {
    return await explained(client, () => newestRun(client, workflowIdFor(operatorUserId)));
  } catch (error) {
    if (!(error instanceof RunNotFound)) throw error;
    const unknown = new RunNotFound(`Temporal knows no run of operator ${operatorUserId}`, { cause: error });
    throw ofOperator(unknown, operatorUserId);
  }
}

async function newestRun(client: Client, workflowId: string): Promise<RepublishRun> {
  return runOf(client, workflowId, await newestChain(client, workflowId), true);
}

/** What the Temporal UI shows of a run that does not change. */
function staticDetails({ documentTypes, machineIds, force, onFailure }: RepublishInput): string {
  return [
    'Puts the configuration documents of the machines back under the operator’s current key: sealed, signed, published, read back, audited.',
    `- document types: ${documentTypes?.join(', ') ?? 'all'}`,
    `- machines: ${machineIds?.slice(0, 20).join(', ') ?? 'all'}${(machineIds?.length ?? 0) > 20 ? ', …' : ''}`,
    `- unchanged documents: ${force ? 'signed anew' : 'left alone'}`,
    `- failed documents: ${onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'}`,
  ].join('\n');
}
