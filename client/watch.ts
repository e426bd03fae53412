import { isDeepStrictEqual } from 'node:util';
import type { Client } from '@temporalio/client';
import { sleep } from '../async/wait';
import { RunNotFound, TemporalUnavailable } from './errors';
import { addressOf, asExplained, isUnreachable } from './temporal-errors';
import { type RunStatus, runStatus } from './run-status';

export interface WatchOptions {
  /** Pause between two looks, in milliseconds. Default: 1000; at least 100. */
  intervalMs?: number;
  /** How long Temporal may be away before the watch gives up, in milliseconds. Default: 120000. */
  patienceMs?: number;
  /** Ends the watch without an error. The run goes on. */
  signal?: AbortSignal;
}

export const DEFAULT_PATIENCE_MS = 120_000;

/**
 * Looks at a run until it has ended; yields its status whenever that has changed, and the last one when it is
 * closed.
 *
 * A worker that is not there, and a Temporal server that is away for less than `patienceMs`, are part of the
 * status.
 *
 * @throws TemporalUnavailable after `patienceMs` without an answer; RunNotFound when Temporal has forgotten
 * the run
 */
export async function* watchRun(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
  { intervalMs = 1_000, patienceMs = DEFAULT_PATIENCE_MS, signal }: WatchOptions = {},
): AsyncGenerator<RunStatus, void, undefined> {
  let last: RunStatus | undefined;
  const patience = new Patience(client, patienceMs);
  while (!signal?.aborted) {
    const seen = await look();
    if (signal?.aborted) return;
    if (seen !== undefined && !isDeepStrictEqual(seen, last)) yield (last = seen);
    if (seen?.closedAt != null) return;
    await pause(Math.max(100, intervalMs), signal);
  }

  /** @returns undefined as long as Temporal was never there */
  async function look(): Promise<RunStatus | undefined> {
    try {
      const status = await runStatus(client, workflowId, runId);
      patience.answered();
      return status;
    } catch (error) {
      if (isUnreachable(error)) {
        patience.spend(error);
        return last && { ...last, unreachableSince: patience.lostSince };
      }
      const explained = asExplained(client, error);
      if (explained instanceof RunNotFound && last !== undefined)
        throw new RunNotFound('Temporal does not know this run any more: was its database lost?', {
          cause: error,
        });
      throw explained;
    }
  }
}

/** How long Temporal may be away. */
export class Patience {
  #lostAtMs: number | undefined;

  constructor(
    private readonly client: Client,
    private readonly patienceMs: number,
  ) {}

  /** ISO 8601, null while Temporal answers. */
  get lostSince(): string | null {
    return this.#lostAtMs === undefined ? null : new Date(this.#lostAtMs).toISOString();
  }

  answered(): void {
    this.#lostAtMs = undefined;
  }

  /** @throws TemporalUnavailable when it is used up */
  spend(error: unknown): void {
    this.#lostAtMs ??= Date.now();
    if (Date.now() - this.#lostAtMs < this.patienceMs) return;
    throw new TemporalUnavailable(
      `Temporal has not answered at ${addressOf(this.client)} for ${Math.round(this.patienceMs / 1_000)} s. The run is not affected by that: it goes on as soon as Temporal and a worker are there`,
      { cause: error },
    );
  }
}

/** Waits; an abort ends it early. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  await sleep(durationMs, signal).catch(() => undefined);
}
