import { type Client, WorkflowIdReusePolicy } from '@temporalio/client';
import { loadConfiguration } from '../configuration/load';
import { problemOfId } from '../contract/ids';
import { problemsOfInput, type RepublishInput } from '../contract/input';
import { fairnessKeyOf, WORKFLOW_TYPE, workflowIdFor } from '../contract/names';
import { requestInHistory } from '../contract/payloads';
import type { Progress } from '../contract/progress';
import { differencesOf } from '../contract/same-request';
import { didYouMean } from '../contract/suggest';
import { begin, type BeginOptions } from './begin';
import { newestChain } from './chain';
import { ofOperator, RepublishFailed, RunNotFound } from './errors';
import { knownOperators } from './known-operators';
import { type RepublishRun, runOf } from './run';
import { explained } from './temporal-errors';

export interface StartOptions extends Omit<RepublishInput, 'operatorUserId'>, BeginOptions {
  /** Task queue the workers poll. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
}

/** How long Temporal may take to say that it has a run; it is asked again meanwhile. */
const START_TIMEOUT_MS = 30_000;

/**
 * Starts a run for an operator, or attaches to the one that goes on if it was asked the same, and does not
 * wait for its end. A run of another request is waited for first, unless `otherRequest` says otherwise.
 *
 * @param client Temporal's own, such as that of `connect()`
 * @throws RepublishFailed of type InvalidInput, before anything is started; AnotherRunGoesOn;
 * TemporalUnavailable,
 *   TemporalRefused; ConfigurationError when a REPUBLISH_* variable is wrong
 */
export async function startRepublish(
  client: Client,
  operatorUserId: string,
  { taskQueue, otherRequest, onWaiting, signal, patienceMs, ...input }: StartOptions = {},
): Promise<RepublishRun> {
  const workflowId = workflowIdFor(operatorUserId);
  const request: RepublishInput = { operatorUserId, ...input };
  requireSound(problemsOfInput(request));
  const start = () =>
    client.workflow.start(WORKFLOW_TYPE, {
      workflowId,
      taskQueue: taskQueue ?? loadConfiguration().taskQueue,
      args: [request],
      // A run may follow any earlier run: it does only what is missing.
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `Republish the configuration documents of operator ${operatorUserId}`,
      staticDetails: staticDetails(request),
      priority: { fairnessKey: fairnessKeyOf(operatorUserId) },
      ...(input.reason ? { memo: { reason: input.reason } } : {}),
    });
  return begin<Progress, RepublishRun>(
    client,
    {
      workflowId,
      what: 'the run',
      start: async () =>
        (await client.withDeadline(Date.now() + START_TIMEOUT_MS, start)).firstExecutionRunId,
      handle: (name) => runOf(client, { workflowId, ...name }),
      differences: async (other) => differencesOf(await requestInHistory(client, other), request),
    },
    { otherRequest, onWaiting, signal, patienceMs },
  );
}

/** @throws RepublishFailed of type InvalidInput, as the run itself would end */
export function requireSound(problems: readonly string[]): void {
  if (problems.length > 0) throw new RepublishFailed('InvalidInput', problems.join('; '));
}

/**
 * The newest run of an operator, whether it goes on or has ended.
 *
 * @throws RunNotFound when there is none that Temporal still knows; RepublishFailed of type InvalidInput;
 * TemporalUnavailable,
 *   TemporalRefused
 */
export async function findRepublish(client: Client, operatorUserId: string): Promise<RepublishRun> {
  const problem = problemOfId('operatorUserId', operatorUserId);
  requireSound(problem === undefined ? [] : [problem]);
  const workflowId = workflowIdFor(operatorUserId);
  try {
    const runId = await explained(client, () => newestChain(client, workflowId));
    return runOf(client, { workflowId, runId, attached: true, differs: [] });
  } catch (error) {
    if (!(error instanceof RunNotFound)) throw error;
    const meant = didYouMean(operatorUserId, await knownOperators(client));
    const unknown = new RunNotFound(`Temporal knows no run of operator ${operatorUserId}${meant}`, {
      cause: error,
    });
    throw ofOperator(unknown, operatorUserId);
  }
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
