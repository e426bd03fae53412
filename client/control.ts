import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { ControlRequest, UpdateName } from '../contract/control';
import { remedyFor } from '../contract/failures';
import { PROGRESS_QUERY } from '../contract/names';
import type { Obstacle } from '../contract/obstacle';
import { describeChain } from './chain';
import { ControlRefused } from './errors';
import { obstacleOf } from './obstacle';
import { obstacleFacts } from './obstacle-facts';
import { runObstacle } from './run-status';
import { asControlRefused, explained, isUnanswered } from './temporal-errors';
import { pause } from './watch';

/** What became of a cancellation that was asked for. */
export interface Cancellation {
  /**
   * `run`: the run has taken it, finishes what is signed and writes its audit. `Temporal`: the run could not
   * be asked, and learns of it as soon as a worker goes on with it; who asked and why is not in its audit
   * then.
   */
  takenBy: 'run' | 'Temporal';
  /**
   * What keeps the run from learning of it; null: nothing does. Only `republish end` ends such a run as it
   * is.
   */
  obstacle: Obstacle | null;
}

/** How long a run that Temporal has told of its cancellation may take to say so. */
const TAKEN_UP_WITHIN_MS = 5_000;
const QUERY_TIMEOUT_MS = 2_000;

/** How a chain of executions is spoken to: by updates, which only a worker can take. */
export class Speaker {
  constructor(
    private readonly client: Client,
    private readonly chain: { workflowId: string; runId: string },
    /** How long a worker may take to answer. */
    private readonly timeoutMs: number,
  ) {}

  /** @throws ControlRefused, TemporalUnavailable, TemporalRefused */
  async update<Answer>(name: UpdateName, request: ControlRequest = {}): Promise<Answer> {
    const inTheWay = await explained(this.client, () => this.#obstacle());
    // A worker that is not there may come in time; one that fails with the run goes on doing so.
    if (inTheWay?.type === 'RunStuck') throw refusedFor(name, inTheWay);
    try {
      return await this.#send<Answer>(name, request);
    } catch (error) {
      const found = isUnanswered(error) ? await this.#obstacle().catch(() => undefined) : undefined;
      throw found === undefined ? asControlRefused(this.client, name, error) : refusedFor(name, found);
    }
  }

  /**
   * By update, else by Temporal's own cancellation. @throws ControlRefused, TemporalUnavailable,
   * TemporalRefused
   */
  async cancel<Answer>(request: ControlRequest = {}): Promise<Cancellation & { answer?: Answer }> {
    const inTheWay = await explained(this.client, () => this.#obstacle());
    if (inTheWay === undefined) {
      try {
        return { takenBy: 'run', obstacle: null, answer: await this.#send<Answer>('cancel', request) };
      } catch (error) {
        if (!isUnanswered(error)) throw asControlRefused(this.client, 'cancel', error);
      }
    }
    try {
      await this.#handle.cancel();
      return { takenBy: 'Temporal', obstacle: (await this.#keepsItFromEnding()) ?? null };
    } catch (error) {
      throw asControlRefused(this.client, 'cancel', error);
    }
  }

  /** Without a run id of its own, so that it follows the chain when that continues as new. */
  get #handle() {
    const { workflowId, runId } = this.chain;
    return this.client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
  }

  #obstacle(): Promise<Obstacle | undefined> {
    return runObstacle(this.client, this.chain.workflowId, this.chain.runId);
  }

  async #send<Answer>(name: UpdateName, request: ControlRequest): Promise<Answer> {
    for (const deadlineMs = Date.now() + this.timeoutMs; ;) {
      try {
        return await this.client.withDeadline(deadlineMs, () =>
          this.#handle.executeUpdate<Answer, [ControlRequest]>(name, { args: [request] }),
        );
      } catch (error) {
        if (!(await this.#hasOnlyMovedOn(error)) || Date.now() > deadlineMs) throw error;
        await pause(200);
      }
    }
  }

  /** Between two executions there is none to take an update; the next one does. */
  async #hasOnlyMovedOn(error: unknown): Promise<boolean> {
    if (!(error instanceof WorkflowNotFoundError)) return false;
    const { workflowId, runId } = this.chain;
    const newest = await describeChain(this.client, workflowId, runId).catch(() => undefined);
    return newest?.status.name === 'RUNNING';
  }

  async #keepsItFromEnding(): Promise<Obstacle | undefined> {
    const { workflowId, runId } = this.chain;
    for (const deadlineMs = Date.now() + TAKEN_UP_WITHIN_MS; ;) {
      const newest = await describeChain(this.client, workflowId, runId);
      if (newest.closeTime !== undefined) return undefined;
      const facts = await obstacleFacts(this.client, newest);
      const obstacle = obstacleOf(facts);
      if (obstacle !== undefined) return obstacle;
      const told = await this.client
        .withDeadline(Date.now() + QUERY_TIMEOUT_MS, () =>
          this.client.workflow
            .getHandle(workflowId, newest.runId)
            .query<{ cancelling: boolean }>(PROGRESS_QUERY),
        )
        .catch(() => undefined);
      if (told?.cancelling) return undefined;
      if (Date.now() > deadlineMs) return obstacleOf({ ...facts, answered: told !== undefined });
      await pause(200);
    }
  }
}

function refusedFor(name: UpdateName, { type, message }: Obstacle): ControlRefused {
  return new ControlRefused(`${name} needs a worker that can go on with the run: ${type}: ${message}`, {
    remedy: remedyFor(type),
  });
}
