import { type Client, WorkflowIdReusePolicy } from '@temporalio/client';
import { loadConfiguration } from '../configuration/load';
import { problemOfId } from '../rules/ids';
import type { RepublishInput } from '../contract/input';
import { problemsOfInput } from '../rules/input';
import { fairnessKeyOf, WORKFLOW_TYPE, workflowIdFor } from '../contract/names';
import type { Progress } from '../contract/progress';
import { requestInHistory } from '../temporal/payloads';
import { differencesOf } from '../rules/same-request';
import { didYouMean } from '../rules/suggest';
import { begin, type BeginOptions } from './begin';
import { newestChain } from './chain';
import { ofOperator, RepublishFailed, RunNotFound } from './errors';
import { knownOperators } from './known-operators';
import { type RepublishRun, runOf } from './run';
import { explained } from './temporal-errors';

/** Options of a run: the request without the operator, and what to do while another run is running. */
export interface StartOptions extends Omit<RepublishInput, 'operatorUserId'>, BeginOptions {
  /** Task queue of the workers. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
}

/** How long Temporal may take to start a run. The SDK asks again until then. */
const START_TIMEOUT_MS = 30_000;

/**
 * Starts a run of an operator, or attaches to the running one if its request is the same. It does not wait
 * for the end: `result()` of the handle does. While a run of another request is running, it does what
 * `otherRequest` selects (default: it waits for the end of that run first).
 *
 * @param client a client of Temporal's SDK, such as that of `connect()`
 * @param operatorUserId `accounts.id` in LNbits
 * @throws RepublishFailed of type InvalidInput, before anything is started
 * @throws AnotherRunGoesOn with `otherRequest: 'refuse'`
 * @throws TemporalUnavailable, TemporalRefused, NamespaceNotFound when Temporal cannot be asked
 * @throws ConfigurationError when a REPUBLISH_* variable is wrong
 */
export async function startRepublish(
  client: Client,
  operatorUserId: string,
  { taskQueue, otherRequest, onWaiting, signal, patienceMs, ...input }: StartOptions = {},
): Promise<RepublishRun> {
  const workflowId = workflowIdFor(operatorUserId);
  const request: RepublishInput = { operatorUserId, ...input };
  requireValid(problemsOfInput(request));
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
      subject: 'run',
      start: async () =>
        (await client.withDeadline(Date.now() + START_TIMEOUT_MS, start)).firstExecutionRunId,
      handle: (name) => runOf(client, { workflowId, ...name }),
      differences: async (other) => differencesOf(await requestInHistory(client, other), request),
    },
    { otherRequest, onWaiting, signal, patienceMs },
  );
}

/** @throws RepublishFailed of type InvalidInput where there are problems, as the run itself would end */
export function requireValid(problems: readonly string[]): void {
  if (problems.length > 0) throw new RepublishFailed('InvalidInput', problems.join('; '));
}

/**
 * Finds the newest run of an operator, running or ended.
 *
 * @param client a client of Temporal's SDK, such as that of `connect()`
 * @param operatorUserId `accounts.id` in LNbits
 * @throws RunNotFound when Temporal knows no run of the operator; it forgets ended runs after its retention
 *   time
 * @throws RepublishFailed of type InvalidInput when the id cannot be one
 * @throws TemporalUnavailable, TemporalRefused, NamespaceNotFound when Temporal cannot be asked
 */
export async function findRepublish(client: Client, operatorUserId: string): Promise<RepublishRun> {
  const problem = problemOfId('operatorUserId', operatorUserId);
  requireValid(problem === undefined ? [] : [problem]);
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

/** The part of a run that does not change, for the Temporal UI. */
function staticDetails({ documentTypes, machineIds, force, onFailure }: RepublishInput): string {
  return [
    'Puts the configuration documents of the machines back under the operator’s current key: sealed, signed, published, read back, audited.',
    `- document types: ${documentTypes?.join(', ') ?? 'all'}`,
    `- machines: ${machineIds?.slice(0, 20).join(', ') ?? 'all'}${(machineIds?.length ?? 0) > 20 ? ', …' : ''}`,
    `- unchanged documents: ${force ? 'signed again' : 'left alone'}`,
    `- failed documents: ${onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'}`,
  ].join('\n');
}
