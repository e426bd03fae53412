import { howFar } from '../../../rules/how-far';
import type { Progress } from '../../../contract/progress';
import type { RunStatus } from '../../run-status';

const WINDOW_MS = 30_000;
/** A rate over a shorter time would jump. */
const LEAST_MS = 2_000;

/** The speed of a run over the last half minute. */
export class Rate {
  #seen: { atMs: number; done: number }[] = [];

  see(progress: Progress, atMs: number): void {
    // A pause tells nothing about the speed after it. A retry makes the number of done documents smaller.
    const { done } = howFar(progress);
    const isAtWork = progress.phase === 'publishing' && !progress.paused && progress.blocked === undefined;
    if (!isAtWork || done < (this.#seen.at(-1)?.done ?? 0)) this.#seen = [];
    if (!isAtWork) return;
    this.#seen.push({ atMs, done });
    while ((this.#seen[1]?.atMs ?? Infinity) < atMs - WINDOW_MS) this.#seen.shift();
  }

  /** Documents per second; undefined while too little is known, or when nothing changed for long. */
  perSecond(nowMs: number): number | undefined {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || nowMs - first.atMs < LEAST_MS) return undefined;
    if (nowMs - last.atMs > WINDOW_MS) return undefined;
    return ((last.done - first.done) * 1_000) / (nowMs - first.atMs);
  }
}

/**
 * Seconds that are left at this rate; undefined where it is unknown: all remaining
 * documents wait for a person, or have trouble.
 */
export function secondsLeft(status: RunStatus, perSecond: number): number | undefined {
  const { progress, retrying, inWork, waiting, approvals, unreachableSince } = status;
  if (progress === null || unreachableSince !== null || approvals.length > 0) return undefined;
  if (progress.blocked !== undefined || (retrying.length > 0 && inWork.length === 0)) return undefined;
  const { done, of } = howFar(progress);
  const left = of - done - progress.failed - progress.givenUp;
  const troubled = waiting.filter(({ since }) => since !== undefined).length;
  return left > troubled ? left / perSecond : undefined;
}

/** `45 s`, `3 min`, `2 h 10 min`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ''}`;
}

/** `at most about 40 s`, of what is expected. */
export function expectedDuration({ tookMs, atMost }: { tookMs: number; atMost: boolean }): string {
  if (tookMs < 1_000) return 'less than a second';
  return `${atMost ? 'at most ' : ''}about ${duration(tookMs / 1_000)}`;
}
