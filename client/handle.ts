import type { Client } from '@temporalio/client';
import type { ControlRequest } from '../contract/control';
import type { Subject } from '../contract/failures';
import type { Obstacle } from '../contract/obstacle';
import { describeChain } from './chain';
import { type ChainStatus, chainObstacle, chainStatus, queryProgress, type StatusKind } from './chain-status';
import { type Cancellation, ChainControl } from './control';
import { Outage, pause } from './outage';
import { asRepublishFailed, explained, isUnreachable } from './temporal-errors';
import { watchChain, type WatchOptions } from './watch';

/**
 * What a run and a fleet can be asked. `RepublishRun` and `FleetRun` extend it.
 *
 * Every method may throw TemporalUnavailable, TemporalRefused, NamespaceNotFound or RunNotFound. Each of
 * these errors has a `type` and a `remedy`.
 */
export interface Handle<Progress, Status extends ChainStatus<Progress>, Result> {
  /**
   * `republish-operator-configs/<operator>` for a run; `republish-fleet` or `republish-fleet/<task queue>`.
   */
  workflowId: string;
  /** Temporal's `firstExecutionRunId`: the key in the ledger and the audit. It survives continue-as-new. */
  runId: string;
  /** False when this call started the workflow; true when it found one. */
  attached: boolean;
  /**
   * How the request of the workflow that was attached to differs from the request of this call, such as
   * `machines m1`. Empty unless `otherRequest` is `attach`.
   */
  differs: string[];
  /** Asks once for the progress (the query `progress`), waits at most 10 s. A worker must be there. */
  progress(): Promise<Progress>;
  /** Temporal's run id of the newest execution. It changes when the workflow continues as new. */
  currentRunId(): Promise<string>;
  /** Asks once for everything that can be seen from outside. It needs no worker. */
  status(): Promise<Status>;
  /** Why no worker can make progress; null: no such reason is known. It needs no worker. */
  obstacle(): Promise<Obstacle | null>;
  /**
   * Yields the status, then each status that differs from the one before, and ends after the one with
   * `closedAt`. It continues while no worker answers, and while Temporal is away for up to `patienceMs`.
   *
   *     for await (const { progress, obstacle } of handle.watch()) console.log(progress?.phase, obstacle);
   *
   * @throws TemporalUnavailable after `patienceMs` without an answer
   */
  watch(options?: WatchOptions): AsyncGenerator<Status, void, undefined>;
  /**
   * Waits for the end, also while Temporal is away for up to `patienceMs` (default: 120000).
   *
   * @throws RepublishFailed; TemporalUnavailable after `patienceMs` without an answer
   */
  result(options?: Pick<WatchOptions, 'patienceMs'>): Promise<Result>;
  /** Begins nothing further until `resume`. What is signed is finished. @throws ControlRefused */
  pause(request?: ControlRequest): Promise<unknown>;
  /** Continues after `pause`. @throws ControlRefused when it is not paused */
  resume(request?: ControlRequest): Promise<unknown>;
  /**
   * Begins nothing further, finishes what is signed, and writes the audit. Where no worker takes the update,
   * Temporal keeps the cancellation for the next worker. @throws ControlRefused when it is cancelled or ended
   */
  cancel(request?: ControlRequest): Promise<Cancellation>;
}

/** Which workflow a handle is for. */
export type HandleName = Pick<
  Handle<unknown, ChainStatus<unknown>, unknown>,
  'workflowId' | 'runId' | 'attached' | 'differs'
>;

/** What differs between a run and a fleet. */
export interface HandleKind<Progress, Own> extends StatusKind<Progress, Own> {
  /** In messages and remedies. */
  subject: Subject;
  /** How long a worker may take to answer an update. */
  updateTimeoutMs: number;
  /** The same error, with the commands in its remedy for this run or fleet. */
  withRemedy(error: unknown): unknown;
}

type Common<Progress, Own, Result> = Omit<
  Handle<Progress, ChainStatus<Progress> & Own, Result>,
  'pause' | 'resume' | 'cancel'
>;

/** The part of a handle that is the same for a run and a fleet, and the control for the rest. */
export function handleOf<Progress, Own, Result>(
  client: Client,
  name: HandleName,
  kind: HandleKind<Progress, Own>,
): { handle: Common<Progress, Own, Result>; control: ChainControl } {
  const { workflowId, runId } = name;
  const { subject } = kind;
  const chain = { workflowId, runId };
  const reject = (error: unknown): never => {
    throw kind.withRemedy(error);
  };
  const asking = <T>(ask: () => Promise<T>): Promise<T> => explained(client, ask, subject).catch(reject);
  const look = () => chainStatus(client, chain, kind);

  const progress = async (): Promise<Progress> => {
    const description = await describeChain(client, workflowId, runId);
    const told = await queryProgress<Progress>(client, description, PROGRESS_TIMEOUT_MS);
    return (await kind.ownStatus(description, told, 'progress')).progress ?? told;
  };

  const result = async ({ patienceMs }: Pick<WatchOptions, 'patienceMs'> = {}): Promise<Result> => {
    // Without a run id, so that the wait follows the chain when it continues as new.
    const followed = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
    const outage = new Outage(client, { patienceMs, subject });
    for (;;) {
      try {
        return (await followed.result()) as Result;
      } catch (error) {
        if (!isUnreachable(error)) throw asRepublishFailed(client, error, subject);
        outage.note(error);
        await pause(1_000);
      }
      // The wait for a result is one long call: only a short call shows that Temporal is back.
      await describeChain(client, workflowId, runId).then(
        () => outage.over(),
        () => undefined,
      );
    }
  };

  return {
    handle: {
      ...name,
      progress: () => asking(progress),
      currentRunId: () => asking(async () => (await describeChain(client, workflowId, runId)).runId),
      status: () => asking(look),
      obstacle: () => asking(async () => (await chainObstacle(client, chain)) ?? null),
      watch: (options) => watchChain(client, { look, subject, withRemedy: kind.withRemedy }, options),
      result: (options) => result(options).catch(reject),
    },
    control: new ChainControl(client, chain, kind),
  };
}

const PROGRESS_TIMEOUT_MS = 10_000;
