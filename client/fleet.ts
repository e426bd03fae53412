import { createHash } from 'node:crypto';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdReusePolicy } from '@temporalio/client';
import { loadConfiguration } from '../configuration/load';
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
import { PROGRESS_QUERY } from '../contract/names';
import type { Obstacle } from '../contract/obstacle';
import { describeChain, newestChain } from './chain';
import { type Cancellation, Speaker } from './control';
import { ControlRefused, RunNotFound } from './errors';
import { whatItSays } from './run-status';
import { asRepublishFailed, explained } from './temporal-errors';

export interface FleetOptions extends FleetInput {
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
  /** Why nobody works on it or nobody can; null: nothing of that kind. */
  obstacle: Obstacle | null;
}

/** A fleet that was started, or found. Every method may throw TemporalUnavailable, TemporalRefused or RunNotFound. */
export interface FleetRun {
  workflowId: string;
  /** First execution of the fleet, which stays across continue-as-new: the key of its audit row. */
  runId: string;
  /** False when this call started the fleet; true when it found it. */
  attached: boolean;
  progress(): Promise<FleetProgress>;
  status(): Promise<FleetStatus>;
  /**
   * Waits for the end. Operators who failed are in the summary; they make no error.
   * @throws RepublishFailed when the fleet could not begin, or was cancelled or terminated
   */
  result(): Promise<FleetSummary>;
  /** Begins no further operator and pauses the runs that go on. @returns how many were paused @throws ControlRefused */
  pause(request?: ControlRequest): Promise<number>;
  /** @returns how many runs were resumed @throws ControlRefused when the fleet is not paused */
  resume(request?: ControlRequest): Promise<number>;
  /** Cancels the fleet and the runs that go on. @returns also how many runs were told @throws ControlRefused */
  cancel(request?: ControlRequest): Promise<Cancellation & { operators: number }>;
}

const NO_FLEET =
  'Start one with: republish fleet start <operator>... (or --all); see earlier ones with: republish fleet audit.';

const QUERY_TIMEOUT_MS = 5_000;
/** The runs that go on are told before it answers. */
const UPDATE_TIMEOUT_MS = 120_000;

/** Temporal shows it, and it stays across continue-as-new: whether a fleet that goes on was asked the same. */
const FINGERPRINT = 'request';

/**
 * Starts a fleet: a run for each operator, so many at once, as `startRepublish` would start it. Attaches to the fleet that
 * goes on if that was asked the same.
 *
 *     const fleet = await startFleet(client, { operators: ['8f3c2b', '11aa90'] });
 *     const { operators, failures } = await fleet.result();
 *
 * @throws ControlRefused while a fleet goes on that was asked something else; ConfigurationError
 */
export async function startFleet(
  client: Client,
  { taskQueue = loadConfiguration().taskQueue, ...input }: FleetOptions,
): Promise<FleetRun> {
  const workflowId = fleetWorkflowIdFor(taskQueue);
  const fingerprint = fingerprintOf(input);
  return explained(client, async () => {
    try {
      const handle = await client.workflow.start(FLEET_WORKFLOW_TYPE, {
        workflowId,
        taskQueue,
        args: [input],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        memo: { [FINGERPRINT]: fingerprint, ...(input.reason ? { reason: input.reason } : {}) },
        staticSummary: `Republish the configuration documents of ${input.operators ? `${input.operators.length} operators` : 'all operators'}`,
        staticDetails: staticDetails(input),
      });
      return fleetOf(client, workflowId, handle.firstExecutionRunId, false);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      const runId = await newestChain(client, workflowId);
      const { memo } = await describeChain(client, workflowId, runId);
      if (memo?.[FINGERPRINT] === fingerprint) return fleetOf(client, workflowId, runId, true);
      throw new ControlRefused(
        `another fleet goes on (run ${runId}), which was asked something else: wait for its end, or cancel it; see: republish fleet status`,
      );
    }
  });
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
    return fleetOf(client, workflowId, runId, true);
  } catch (error) {
    if (!(error instanceof RunNotFound)) throw error;
    throw new RunNotFound(`Temporal knows no fleet ${workflowId}`, { cause: error }, NO_FLEET);
  }
}

function fleetOf(client: Client, workflowId: string, runId: string, attached: boolean): FleetRun {
  const speaker = new Speaker(client, { workflowId, runId }, UPDATE_TIMEOUT_MS);
  const update = async (name: FleetUpdateName, request?: ControlRequest): Promise<number> =>
    (await speaker.update<FleetControlResult>(name, request)).operators;
  const progressOf = (execution: string): Promise<FleetProgress> =>
    client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
      client.workflow.getHandle(workflowId, execution).query<FleetProgress>(PROGRESS_QUERY),
    );
  return {
    workflowId,
    runId,
    attached,
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

/** Without the reason; the order of the operators does not matter, nor who is named twice. */
function fingerprintOf({ operators, documentTypes, reason: _, ...rest }: FleetInput): string {
  const lists = [operators, documentTypes].map((list) => [...new Set(list)].sort());
  const others = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([lists, others]))
    .digest('hex')
    .slice(0, 32);
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
