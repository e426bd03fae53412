import { isDeepStrictEqual } from 'node:util';
import type { Client } from '@temporalio/client';
import type { Subject } from '../contract/failures';
import type { ChainStatus } from './chain-status';
import { RunNotFound } from './errors';
import { Outage, pause } from './outage';
import { asExplained, isUnreachable } from './temporal-errors';

/** Options of `watch()`. */
export interface WatchOptions {
  /** Pause between two looks, in milliseconds. Default: 1000; at least 100. */
  intervalMs?: number;
  /** How long Temporal may be away before the watch gives up, in milliseconds. Default: 120000. */
  patienceMs?: number;
  /** Ends the watch without an error. The run is not affected. */
  signal?: AbortSignal;
}

interface Watched<Status> {
  subject: Subject;
  look(): Promise<Status>;
  withRemedy(error: unknown): unknown;
}

/**
 * Looks at a run or a fleet until it has ended. Yields its status whenever that has changed, and the last one
 * when it is closed.
 *
 * @throws TemporalUnavailable after `patienceMs` without an answer; RunNotFound when Temporal has forgotten
 * it
 */
export async function* watchChain<Status extends ChainStatus<unknown>>(
  client: Client,
  { look, subject, withRemedy }: Watched<Status>,
  { intervalMs = 1_000, patienceMs, signal }: WatchOptions = {},
): AsyncGenerator<Status, void, undefined> {
  let last: Status | undefined;
  const outage = new Outage(client, { patienceMs, subject });
  try {
    while (!signal?.aborted) {
      const seen = await lookAgain();
      if (signal?.aborted) return;
      if (seen !== undefined && !isDeepStrictEqual(seen, last)) yield (last = seen);
      if (seen?.closedAt != null) return;
      await pause(Math.max(100, intervalMs), signal);
    }
  } catch (error) {
    throw withRemedy(error);
  }

  /** @returns undefined as long as Temporal has never answered */
  async function lookAgain(): Promise<Status | undefined> {
    try {
      const status = await look();
      outage.over();
      return status;
    } catch (error) {
      if (isUnreachable(error)) {
        outage.note(error);
        return last && { ...last, unreachableSince: outage.since };
      }
      const explained = asExplained(client, error, subject);
      throw explained instanceof RunNotFound && last !== undefined
        ? new RunNotFound(`Temporal does not know this ${subject} any more: was its database lost?`, {
            cause: error,
          })
        : explained;
    }
  }
}
