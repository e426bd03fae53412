import type { Counts, Progress, Stages } from '../../../contract/progress';

/** Documents that have their outcome; skipped ones are not part of the plan. */
export function doneOf({ published, unchanged, superseded, failed }: Counts): number {
  return published + unchanged + superseded + failed;
}

/**
 * The same with what the pages in work have told: a document that stands has its outcome as soon as its page
 * is settled. Not of the plan are skipped ones, which may stand all the same.
 */
export function doneNow(progress: Progress, { standing }: Stages): number {
  return Math.min(progress.planned, Math.max(doneOf(progress), standing + progress.failed));
}

const WINDOW_MS = 30_000;
/** A rate from less would jump about. */
const LEAST_MS = 2_000;

/** How fast a run goes, from what was seen of it in the last half minute. */
export class Rate {
  #seen: { atMs: number; done: number }[] = [];

  see(progress: Progress, stages: Stages, atMs: number): void {
    // What stands still on purpose says nothing about how fast it goes afterwards; a retry takes documents
    // back.
    const done = doneNow(progress, stages);
    if (progress.phase !== 'publishing' || progress.paused || done < (this.#seen.at(-1)?.done ?? 0))
      this.#seen = [];
    if (progress.phase !== 'publishing' || progress.paused) return;
    this.#seen.push({ atMs, done });
    while ((this.#seen[1]?.atMs ?? Infinity) < atMs - WINDOW_MS) this.#seen.shift();
  }

  /** Documents a second; undefined as long as too little was seen. */
  perSecond(nowMs: number): number | undefined {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || nowMs - first.atMs < LEAST_MS) return undefined;
    return ((last.done - first.done) * 1_000) / (nowMs - first.atMs);
  }
}

/** `45 s`, `3 min`, `2 h 10 min`: as exact as an estimate deserves. */
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
