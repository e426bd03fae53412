import { createHash } from 'node:crypto';
import { type Client, type WorkflowExecutionDescription, WorkflowIdReusePolicy } from '@temporalio/client';
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
import { problemsOfFleetInput } from '../rules/fleet-input';
import { PROGRESS_QUERY } from '../contract/names';
import type { Obstacle } from '../contract/obstacle';
import { requestInHistory } from '../temporal/payloads';
import { differencesOf, requestText } from '../rules/same-request';
import { begin, type BeginOptions } from './begin';
import { describeChain, newestChain } from './chain';
import { type Cancellation, Speaker } from './control';
import { RunNotFound } from './errors';
import { whatItSays } from './run-status';
import { heartbeatOf } from './run-steps';
import { requireSound } from './start';
import { asRepublishFailed, explained } from './temporal-errors';

export interface FleetOptions extends FleetInput, BeginOptions {
  /** Task queue the workers poll. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
}

/** How a fleet stands as Temporal sees it: also without a worker. */
export interface FleetStatus {
  /** Temporal's word: RUNNING, COMPLETED, CANCELLED, FAILED, TERMINATED. */
  status: string;
  /** ISO 8601; null while it goes on. */
  closedAt: string | null;
  taskQueue: string;
  /** null when no worker answers. */
  progress: FleetProgress | null;
  /** Operators whose own run waits for the end of one of another request, and for which. */
  waitsFor: WaitsFor[];
  /** Why nobody works on it or nobody can; null: nothing of that kind. */
  obstacle: Obstacle | null;
}

/**
 * A fleet that was started, or found. Every method may throw TemporalUnavailable, TemporalRefused or
 * RunNotFound.
 */
export interface FleetRun {
  workflowId: string;
  /** First execution of the fleet, which stays across continue-as-new: the key of its audit row. */
  runId: string;
  /** False when this call started the fleet; true when it found it. */
  attached: boolean;
  /** As of a run. */
  differs: string[];
  progress(): Promise<FleetProgress>;
  status(): Promise<FleetStatus>;
  /**
   * Waits for the end. Operators who failed are in the summary; they make no error.
   * @throws RepublishFailed when the fleet could not begin, or was cancelled or terminated
   */
  result(): Promise<FleetSummary>;
  /**
   * Begins no further operator and pauses the runs that go on. @returns how many were paused @throws
   * ControlRefused
   */
  pause(request?: ControlRequest): Promise<number>;
  /** @returns how many runs were resumed @throws ControlRefused when the fleet is not paused */
  resume(request?: ControlRequest): Promise<number>;
  /**
   * Cancels the fleet and the runs that go on. @returns also how many runs were told @throws ControlRefused
   */
  cancel(request?: ControlRequest): Promise<Cancellation & { operators: number }>;
}

const NO_FLEET =
  'Start one with: republish fleet start <operator>... (or --all); see earlier ones with: republish fleet audit.';

const QUERY_TIMEOUT_MS = 5_000;
/** The runs that go on are told before it answers. */
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
  const find = (runId: string, differs: string[] = []): FleetRun =>
    fleetOf(client, { workflowId, runId, attached: true, differs });
  return begin(
    client,
    {
      workflowId,
      what: 'the fleet',
      remedy: OF_ANOTHER_FLEET,
      async start() {
        const { firstExecutionRunId: runId } = await client.workflow.start(FLEET_WORKFLOW_TYPE, {
          workflowId,
          taskQueue,
          args: [input],
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          memo: { [FINGERPRINT]: fingerprint, ...(input.reason ? { reason: input.reason } : {}) },
          staticSummary: `Republish the configuration documents of ${input.operators ? `${input.operators.length} operators` : 'all operators'}`,
          staticDetails: staticDetails(input),
        });
        return fleetOf(client, { workflowId, runId, attached: false, differs: [] });
      },
      attach: find,
      async differences({ memo }, runId) {
        if (memo?.[FINGERPRINT] === fingerprint) return [];
        // The first execution has the operators, as long as Temporal keeps it: the ledger has them for the
        // others.
        return differencesOf(
          await requestInHistory(client, { workflowId, runId }).catch(() => undefined),
          input,
        );
      },
      look: async (runId) => {
        const { closedAt, progress, obstacle } = await find(runId).status();
        return { closedAt, phase: progress?.paused ? 'paused' : (progress?.phase ?? null), obstacle };
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

type FleetName = Pick<FleetRun, 'workflowId' | 'runId' | 'attached' | 'differs'>;

function fleetOf(client: Client, name: FleetName): FleetRun {
  const { workflowId, runId } = name;
  const speaker = new Speaker(client, { workflowId, runId }, UPDATE_TIMEOUT_MS);
  const update = async (name: FleetUpdateName, request?: ControlRequest): Promise<number> =>
    (await speaker.update<FleetControlResult>(name, request)).operators;
  const progressOf = (execution: string): Promise<FleetProgress> =>
    client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
      client.workflow.getHandle(workflowId, execution).query<FleetProgress>(PROGRESS_QUERY),
    );
  return {
    ...name,
    progress: () =>
      explained(client, async () => progressOf((await describeChain(client, workflowId, runId)).runId)),
    status: () =>
      explained(client, async () => {
        const newest = await describeChain(client, workflowId, runId);
        const { told, obstacle } = await whatItSays(client, newest, () => progressOf(newest.runId));
        return {
          status: newest.status.name,
          closedAt: newest.closeTime?.toISOString() ?? null,
          taskQueue: newest.taskQueue,
          progress: told,
          obstacle: obstacle ?? null,
          waitsFor: await waitsForOf(client, newest),
        };
      }),
    async result() {
      try {
        return (await client.workflow.getHandle(workflowId, runId).result()) as FleetSummary;
      } catch (error) {
        throw asRepublishFailed(client, error);
      }
    },
    pause: (request) => update('pause', request),
    resume: (request) => update('resume', request),
    cancel: async (request) => {
      const { answer, takenBy, obstacle } = await speaker.cancel<FleetControlResult>(request);
      return { takenBy, obstacle, operators: answer?.operators ?? 0 };
    },
  };
}

/** As the workers of its turns have told. */
async function waitsForOf(client: Client, { raw }: WorkflowExecutionDescription): Promise<WaitsFor[]> {
  const told = await Promise.all(
    (raw.pendingActivities ?? []).map((pending) => heartbeatOf<HeartbeatDetails>(client, pending)),
  );
  return told.flatMap(({ waitsFor }) => waitsFor ?? []);
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
