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
} from '../contract/fleet';
import { isFailureType, remedyFor } from '../contract/failures';
import { problemsOfFleetInput } from '../rules/fleet-input';
import { outcomeOfFleet } from '../rules/run-end';
import { requestInHistory } from '../temporal/payloads';
import { differencesOf, requestText } from '../rules/same-request';
import { begin, type BeginOptions } from './begin';
import { newestChain } from './chain';
import type { ChainStatus } from './chain-status';
import type { Cancellation } from './control';
import { RunNotFound } from './errors';
import { obstaclesOfRuns, type OperatorObstacle } from './fleet-obstacles';
import { type Handle, type HandleName, handleOf } from './handle';
import { heartbeatOf } from './run-steps';
import { requireValid } from './start';
import { explained } from './temporal-errors';

/** Options of a fleet: its request, and what to do while another fleet is running. */
export interface FleetOptions extends FleetInput, BeginOptions {
  /** Task queue of the workers. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
}

/** What can be seen of a fleet from outside, also while no worker answers. */
export interface FleetStatus extends ChainStatus<FleetProgress>, FleetDetails {}

interface FleetDetails {
  /** Operators whose own run waits for the end of a run of another request. */
  waitsFor: WaitsFor[];
  /**
   * Operators in work whose run makes no progress, as far as Temporal knows, and why; of those in
   * `progress.atWork`. At most 10 s old.
   */
  obstacles: OperatorObstacle[];
}

/** Which runs in work a control has reached. */
export interface FleetControlled {
  /** How many runs have taken it. */
  operators: number;
  /**
   * Operators whose runs did not answer in time. Such a run may take the control later, or no worker can
   * continue it: `status()` has the obstacle.
   */
  unanswered: string[];
}

/**
 * A fleet, started by this call or found. `result()` resolves with the summary: operators who failed are in
 * it and cause no error. It rejects with RepublishFailed when the fleet could not begin, or was cancelled or
 * terminated.
 *
 * A fleet has no `retry` and no `skip`: they are of one run (`findRepublish(client, operatorUserId)`). Start
 * the fleet again to try all operators who are not complete: the others have nothing left to do.
 */
export interface FleetRun extends Handle<FleetProgress, FleetStatus, FleetSummary> {
  /**
   * Begins no further operator until `resume`, and pauses the runs in work. @throws ControlRefused
   */
  pause(request?: ControlRequest): Promise<FleetControlled>;
  /**
   * Continues after `pause`, with the runs that the fleet paused.
   *
   * @throws ControlRefused when the fleet is not paused
   */
  resume(request?: ControlRequest): Promise<FleetControlled>;
  /**
   * Cancels the fleet and its runs in work; the audits are written. The fleet ends when these runs have
   * ended, also those that did not answer. @throws ControlRefused
   */
  cancel(request?: ControlRequest): Promise<Cancellation & FleetControlled>;
}

/** The fleet answers after it has controlled its runs in work. */
const UPDATE_TIMEOUT_MS = 120_000;

/** Memo key of the hash of the request. A memo survives continue-as-new, so the requests can be compared. */
const FINGERPRINT = 'request';

/**
 * Starts a fleet: one run for each operator, a limited number at a time (`operatorsAtOnce`, default: 16). It
 * attaches to the running fleet of the task queue if its request is the same. While a fleet of another
 * request is running, it does what `otherRequest` selects (default: it waits for the end of that fleet
 * first).
 *
 *     const fleet = await startFleet(client, { operators: ['8f3c2b', '11aa90'] });
 *     const { operators, failures } = await fleet.result();
 *     // { complete: 1, incomplete: 1, failed: 0, cancelled: 0, notBegun: 0 }, [{ operatorUserId: '11aa90', … }]
 *
 * @param client a client of Temporal's SDK, such as that of `connect()`
 * @throws RepublishFailed of type InvalidInput, before anything is started
 * @throws AnotherRunGoesOn with `otherRequest: 'refuse'`
 * @throws TemporalUnavailable, TemporalRefused, NamespaceNotFound when Temporal cannot be asked
 * @throws ConfigurationError when a REPUBLISH_* variable is wrong
 */
export async function startFleet(client: Client, options: FleetOptions): Promise<FleetRun> {
  const { taskQueue = loadConfiguration().taskQueue, ...others } = options;
  const { otherRequest, onWaiting, signal, patienceMs, ...input } = others;
  requireValid(problemsOfFleetInput(input));
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
      subject: 'fleet',
      remedy: remedyFor('AnotherRunGoesOn', 'fleet'),
      start: async () => (await start()).firstExecutionRunId,
      handle: (name) => fleetOf(client, { workflowId, ...name }),
      async differences({ memo }, runId) {
        if (memo?.[FINGERPRINT] === fingerprint) return [];
        // Only the input of the first execution has the operators; later executions read them from the
        // ledger.
        const theirs = requestInHistory(client, { workflowId, runId }).catch(() => undefined);
        return differencesOf(await theirs, input);
      },
    },
    { otherRequest, onWaiting, signal, patienceMs },
  );
}

/**
 * Finds the newest fleet of a task queue, running or ended.
 *
 * @param client a client of Temporal's SDK, such as that of `connect()`
 * @param taskQueue Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`.
 * @throws RunNotFound when Temporal knows no fleet; it forgets ended fleets after its retention time
 * @throws TemporalUnavailable, TemporalRefused, NamespaceNotFound when Temporal cannot be asked
 * @throws ConfigurationError when a REPUBLISH_* variable is wrong
 */
export async function findFleet(
  client: Client,
  taskQueue: string = loadConfiguration().taskQueue,
): Promise<FleetRun> {
  const workflowId = fleetWorkflowIdFor(taskQueue);
  try {
    const runId = await explained(client, () => newestChain(client, workflowId), 'fleet');
    return fleetOf(client, { workflowId, runId, attached: true, differs: [] });
  } catch (error) {
    if (!(error instanceof RunNotFound)) throw error;
    throw new RunNotFound(`Temporal knows no fleet ${workflowId}`, {
      cause: error,
      remedy: remedyFor('RunNotFound', 'fleet'),
    });
  }
}

function fleetOf(client: Client, name: HandleName): FleetRun {
  const obstaclesOf = obstaclesOfRuns(client);
  const { handle, control } = handleOf<FleetProgress, FleetDetails, FleetSummary>(client, name, {
    subject: 'fleet',
    updateTimeoutMs: UPDATE_TIMEOUT_MS,
    withRemedy: ofFleet,
    outcomeOf: (summary) => outcomeOfFleet((summary as FleetSummary).operators, { cancelled: false }),
    async ownStatus({ raw, closeTime }, told, only) {
      const heartbeats = await Promise.all(
        (raw.pendingActivities ?? []).map((pending) => heartbeatOf<HeartbeatDetails>(client, pending)),
      );
      const inWork = closeTime === undefined && only === undefined ? (told?.atWork ?? []) : [];
      return {
        progress: told,
        waitsFor: heartbeats.flatMap(({ waitsFor }) => waitsFor ?? []),
        obstacles: await obstaclesOf(inWork),
      };
    },
  });
  const update = async (update: FleetUpdateName, request?: ControlRequest): Promise<FleetControlled> =>
    controlled(await control.update<FleetControlResult>(update, request));
  return {
    ...handle,
    pause: (request) => update('pause', request),
    resume: (request) => update('resume', request),
    async cancel(request) {
      const { answer, takenBy, obstacle } = await control.cancel<FleetControlResult>(request);
      return { takenBy, obstacle, ...controlled(answer) };
    },
  };
}

function controlled({ operators = 0, unanswered = [] }: Partial<FleetControlResult> = {}): FleetControlled {
  return { operators, unanswered };
}

/** The same error; a remedy of the catalogue is for the fleet. */
function ofFleet(error: unknown): unknown {
  const { type, remedy } = (error ?? {}) as { type?: unknown; remedy?: unknown };
  if (!(error instanceof Error) || !isFailureType(type) || remedy !== remedyFor(type)) return error;
  return Object.assign(error, { remedy: remedyFor(type, 'fleet') });
}

/** The part of a fleet that does not change, for the Temporal UI. */
function staticDetails({ operators, operatorsAtOnce, documentTypes, force, onFailure }: FleetInput): string {
  const named = operators?.slice(0, 20).join(', ');
  return [
    'A run of republishOperatorConfigs for each operator, with the id of a single start; each writes its own audit.',
    `- operators: ${named ?? 'all that queries.operators names (default: all with a stored signer)'}${(operators?.length ?? 0) > 20 ? ', …' : ''}`,
    `- at once: ${operatorsAtOnce ?? 'the default'}`,
    `- document types: ${documentTypes?.join(', ') ?? 'all'}`,
    `- unchanged documents: ${force ? 'signed again' : 'left alone'}`,
    `- failed documents: ${onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'}`,
  ].join('\n');
}
