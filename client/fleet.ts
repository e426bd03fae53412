import { createHash } from 'node:crypto';
import { type Client, WorkflowIdReusePolicy } from '@temporalio/client';
import { loadConfiguration } from '../configuration/load';
import type { HeartbeatDetails, WaitsFor } from '../contract/activities';
import type { ControlRequest } from '../contract/control';
import {
  FLEET_WORKFLOW_TYPE,
  fleetWorkflowIdFor,
  type FleetControlResult,
  type FleetInput,
  type FleetProgress,
  type FleetSummary,
  type FleetUpdateName,
  problemsOfFleetInput,
} from '../contract/fleet';
import { requestInHistory } from '../contract/payloads';
import { differencesOf, requestText } from '../contract/same-request';
import { forFleet } from '../contract/shell';
import { begin, type BeginOptions } from './begin';
import { newestChain } from './chain';
import type { ChainStatus } from './chain-status';
import type { Cancellation } from './control';
import { RunNotFound } from './errors';
import { type Handle, type HandleName, handleOf } from './handle';
import { heartbeatOf } from './run-steps';
import { requireSound } from './start';
import { explained } from './temporal-errors';

export interface FleetOptions extends FleetInput, BeginOptions {
  /** Task queue the workers poll. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
}

/** What can be seen of a fleet from outside, also while no worker answers. */
export interface FleetStatus extends ChainStatus<FleetProgress>, FleetDetails {}

interface FleetDetails {
  /** Operators whose own run waits for the end of a run of another request. */
  waitsFor: WaitsFor[];
}

/**
 * A fleet, started by this call or found. `result()` resolves with the summary: operators who failed are in it
 * and cause no error. It rejects with RepublishFailed when the fleet could not begin, or was cancelled or
 * terminated.
 *
 * A fleet has no `retry` and no `skip`: they are of one run (`findRepublish(client, operatorUserId)`). Start
 * the fleet again to try all operators who are not complete: the others have nothing left to do.
 */
export interface FleetRun extends Handle<FleetProgress, FleetStatus, FleetSummary> {
  /**
   * Begins no further operator until `resume`, and pauses the runs in work.
   *
   * @returns the number of runs that were paused @throws ControlRefused
   */
  pause(request?: ControlRequest): Promise<number>;
  /**
   * Continues after `pause`, with the runs that the fleet paused.
   *
   * @returns the number of runs that were resumed @throws ControlRefused when the fleet is not paused
   */
  resume(request?: ControlRequest): Promise<number>;
  /**
   * Cancels the fleet and its runs in work; the audits are written. `operators` is the number of runs that were
   * told. @throws ControlRefused
   */
  cancel(request?: ControlRequest): Promise<Cancellation & { operators: number }>;
}

const NO_FLEET =
  'Start one with: republish fleet start <operator>... (or --all); see earlier ones with: republish fleet audit.';

/** The runs in work are told before the fleet answers. */
const UPDATE_TIMEOUT_MS = 120_000;

/**
 * Temporal shows it, and it stays across continue-as-new: whether a fleet that goes on was asked the same.
 */
const FINGERPRINT = 'request';

const OF_ANOTHER_FLEET =
  'Leave --no-wait out to wait for its end, follow it with --attach, or end it with: republish fleet cancel; then start again.';

/**
 * Starts a fleet: a run for each operator, so many at once, as `startRepublish` would start it. Attaches to
 * the fleet that goes on if that was asked the same; one of another request is waited for first, unless
 * `otherRequest` says otherwise.
 *
 *     const fleet = await startFleet(client, { operators: ['8f3c2b', '11aa90'] });
 *     const { operators, failures } = await fleet.result();
 *
 * @throws RepublishFailed of type InvalidInput, before anything is started; AnotherRunGoesOn;
 * TemporalUnavailable,
 *   TemporalRefused; ConfigurationError
 */
export async function startFleet(client: Client, options: FleetOptions): Promise<FleetRun> {
  const { taskQueue = loadConfiguration().taskQueue, ...others } = options;
  const { otherRequest, onWaiting, signal, patienceMs, ...input } = others;
  requireSound(problemsOfFleetInput(input));
  const workflowId = fleetWorkflowIdFor(taskQueue);
  const fingerprint = createHash('sha256').update(requestText(input)).digest('hex').slice(0, 32);
  const start = () =>
    client.workflow.start(FLEET_WORKFLOW_TYPE, {
      workflowId,
      taskQueue,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      memo: { [FINGERPRINT]: fingerprint, ...(input.reason ? { reason: input.reason } : {}) },
      staticSummary: `Republish the configuration documents of ${input.operators ? `${input.operators.length} operators` : 'all operators'}`,
      staticDetails: staticDetails(input),
    });
  return begin<FleetProgress, FleetRun>(
    client,
    {
      workflowId,
      what: 'the fleet',
      remedy: OF_ANOTHER_FLEET,
      start: async () => (await start()).firstExecutionRunId,
      handle: (name) => fleetOf(client, { workflowId, ...name }),
      async differences({ memo }, runId) {
        if (memo?.[FINGERPRINT] === fingerprint) return [];
        // Only the input of the first execution has the operators; later executions read them from the ledger.
        const theirs = requestInHistory(client, { workflowId, runId }).catch(() => undefined);
        return differencesOf(await theirs, input);
      },
    },
    { otherRequest, onWaiting, signal, patienceMs },
  );
}

/**
 * The newest fleet of a task queue, whether it goes on or has ended.
 *
 * @throws RunNotFound when there is none that Temporal still knows; TemporalUnavailable, TemporalRefused
 */
export async function findFleet(
  client: Client,
  taskQueue: string = loadConfiguration().taskQueue,
): Promise<FleetRun> {
  const workflowId = fleetWorkflowIdFor(taskQueue);
  try {
    const runId = await explained(client, () => newestChain(client, workflowId));
    return fleetOf(client, { workflowId, runId, attached: true, differs: [] });
  } catch (error) {
    if (!(error instanceof RunNotFound)) throw error;
    throw new RunNotFound(`Temporal knows no fleet ${workflowId}`, {
      cause: error,
      remedy: NO_FLEET,
    });
  }
}

function fleetOf(client: Client, name: HandleName): FleetRun {
  const { handle, control } = handleOf<FleetProgress, FleetDetails, FleetSummary>(client, name, {
    updateTimeoutMs: UPDATE_TIMEOUT_MS,
    withRemedy: ofFleet,
    async ownStatus({ raw }, told) {
      const heartbeats = await Promise.all(
        (raw.pendingActivities ?? []).map((pending) => heartbeatOf<HeartbeatDetails>(client, pending)),
      );
      return { progress: told, waitsFor: heartbeats.flatMap(({ waitsFor }) => waitsFor ?? []) };
    },
  });
  const update = async (update: FleetUpdateName, request?: ControlRequest): Promise<number> =>
    (await control.update<FleetControlResult>(update, request)).operators;
  return {
    ...handle,
    pause: (request) => update('pause', request),
    resume: (request) => update('resume', request),
    async cancel(request) {
      const { answer, takenBy, obstacle } = await control.cancel<FleetControlResult>(request);
      return { takenBy, obstacle, operators: answer?.operators ?? 0 };
    },
  };
}

/** The same error; its message and the commands in its remedy are for the fleet. */
function ofFleet(error: unknown): unknown {
  const { remedy } = (error ?? {}) as { remedy?: unknown };
  if (!(error instanceof Error) || typeof remedy !== 'string') return error;
  return Object.assign(error, { message: forFleet(error.message), remedy: forFleet(remedy) });
}

/** What the Temporal UI shows of a fleet that does not change. */
function staticDetails({ operators, operatorsAtOnce, documentTypes, force, onFailure }: FleetInput): string {
  const named = operators?.slice(0, 20).join(', ');
  return [
    'A run of republishOperatorConfigs for each operator, with the id of a single start; each writes its own audit.',
    `- operators: ${named ?? 'all that queries.operators names (default: all with a stored signer)'}${(operators?.length ?? 0) > 20 ? ', …' : ''}`,
    `- at once: ${operatorsAtOnce ?? 'the default'}`,
    `- document types: ${documentTypes?.join(', ') ?? 'all'}`,
    `- unchanged documents: ${force ? 'signed anew' : 'left alone'}`,
    `- failed documents: ${onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'}`,
  ].join('\n');
}
