import type { Client } from '@temporalio/client';
import type { ControlRequest, UpdateName } from '../contract/control';
import { remedyFor, type Subject, traitsOf } from '../contract/failures';
import type { Obstacle } from '../contract/obstacle';
import { sendUpdate } from '../temporal/send-update';
import { type Chain, describeChain } from './chain';
import { chainObstacle, queryProgress } from './chain-status';
import { ControlRefused } from './errors';
import { obstacleOf } from './obstacle';
import { obstacleFacts } from './obstacle-facts';
import { pause } from './outage';
import { asControlRefused, explained, isUnanswered } from './temporal-errors';

/** What happened to a cancellation that somebody asked for. */
export interface Cancellation {
  /**
   * `run`: the workflow of the run or fleet took the update `cancel`. It finishes what is signed and writes
   * its audit. `Temporal`: no worker took the update, so Temporal keeps the cancellation for the next worker.
   * The audit then does not tell who asked and why.
   */
  takenBy: 'run' | 'Temporal';
  /**
   * Why no worker can take the cancellation from Temporal; null: nothing prevents it. Only `republish end`
   * ends such a run.
   */
  obstacle: Obstacle | null;
}

/** How long a workflow may take to notice a cancellation that Temporal keeps. */
const NOTICED_WITHIN_MS = 5_000;
const QUERY_TIMEOUT_MS = 2_000;

/** How the control of a run differs from that of a fleet. */
interface ControlKind {
  subject: Subject;
  /** How long a worker may take to answer an update. */
  updateTimeoutMs: number;
  /** The same error, with the commands in its remedy for this run or fleet. */
  withRemedy(error: unknown): unknown;
}

/** Sends updates to the newest execution of a chain. Only a worker can take them. */
export class ChainControl {
  constructor(
    private readonly client: Client,
    private readonly chain: Chain,
    private readonly kind: ControlKind,
  ) {}

  /** @throws ControlRefused, TemporalUnavailable, TemporalRefused */
  async update<Answer>(name: UpdateName, request: ControlRequest = {}): Promise<Answer> {
    try {
      const obstacle = await this.#explained(() => chainObstacle(this.client, this.chain));
      // A missing worker may come in time. Workers that fail or hang with the run will do so again.
      if (obstacle !== undefined && traitsOf(obstacle.type).obstacle === 'stuck')
        throw this.#refusedFor(name, obstacle);
      return await this.#send<Answer>(name, request).catch(async (error: unknown) => {
        const found = isUnanswered(error)
          ? await chainObstacle(this.client, this.chain).catch(() => undefined)
          : undefined;
        throw found === undefined ? this.#refused(name, error) : this.#refusedFor(name, found);
      });
    } catch (error) {
      throw this.kind.withRemedy(error);
    }
  }

  /**
   * By update, else by Temporal's own cancellation.
   *
   * @returns also the answer of the update, if the workflow took it
   * @throws ControlRefused, TemporalUnavailable, TemporalRefused
   */
  async cancel<Answer>(request: ControlRequest = {}): Promise<Cancellation & { answer?: Answer }> {
    try {
      const obstacle = await this.#explained(() => chainObstacle(this.client, this.chain));
      const answer = obstacle === undefined ? await this.#cancelByUpdate<Answer>(request) : undefined;
      if (answer !== undefined) return { takenBy: 'run', obstacle: null, answer };
      const { workflowId, runId } = this.chain;
      // Without a run id, so that it follows the chain when it continues as new.
      const handle = this.client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
      await handle.cancel().catch((error: unknown) => {
        throw this.#refused('cancel', error);
      });
      const found = await this.#explained(() => this.#obstacleAfterCancel());
      return { takenBy: 'Temporal', obstacle: found ?? null };
    } catch (error) {
      throw this.kind.withRemedy(error);
    }
  }

  /** @returns undefined where no worker took the update */
  async #cancelByUpdate<Answer>(request: ControlRequest): Promise<Answer | undefined> {
    try {
      return await this.#send<Answer>('cancel', request);
    } catch (error) {
      if (isUnanswered(error)) return undefined;
      throw this.#refused('cancel', error);
    }
  }

  #explained<T>(work: () => Promise<T>): Promise<T> {
    return explained(this.client, work, this.kind.subject);
  }

  #refused(name: UpdateName, error: unknown): unknown {
    return asControlRefused(this.client, { name, subject: this.kind.subject }, error);
  }

  #refusedFor(name: UpdateName, { type, message }: Obstacle): ControlRefused {
    const { subject } = this.kind;
    return new ControlRefused(
      `${name} needs a worker that can continue the ${subject}: ${type}: ${message}`,
      {
        remedy: remedyFor(type, subject),
      },
    );
  }

  #send<Answer>(name: UpdateName, request: ControlRequest): Promise<Answer> {
    const deadlineMs = Date.now() + this.kind.updateTimeoutMs;
    return sendUpdate(this.client, this.chain, { name, request, deadlineMs }, () => this.#continues());
  }

  async #continues(): Promise<boolean> {
    const { workflowId, runId } = this.chain;
    const newest = await describeChain(this.client, workflowId, runId).catch(() => undefined);
    return newest?.status.name === 'RUNNING';
  }

  /** Why no worker can take a cancellation from Temporal; undefined: the workflow took it, or has ended. */
  async #obstacleAfterCancel(): Promise<Obstacle | undefined> {
    const { workflowId, runId } = this.chain;
    for (const deadlineMs = Date.now() + NOTICED_WITHIN_MS; ;) {
      const newest = await describeChain(this.client, workflowId, runId);
      if (newest.closeTime !== undefined) return undefined;
      const facts = await obstacleFacts(this.client, newest);
      const obstacle = obstacleOf(facts);
      if (obstacle !== undefined) return obstacle;
      const told = await queryProgress<{ cancelling: boolean }>(this.client, newest, QUERY_TIMEOUT_MS).catch(
        () => undefined,
      );
      if (told?.cancelling) return undefined;
      if (Date.now() > deadlineMs) return obstacleOf({ ...facts, answered: told !== undefined });
      await pause(200);
    }
  }
}
