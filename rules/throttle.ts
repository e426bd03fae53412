/** What is known of somebody who takes only so much, and has no more room now. */
export interface Throttling {
  /** When the next may be let through: an estimate. */
  untilMs: number;
  /** For how long everything was refused up to the last refusal; 0 when the last try went through. */
  deniedForMs: number;
}

/** What was refused for the first time is tried again after this. */
const FIRST_INTERVAL_MS = 1_000;
/** Somebody who refuses everything is still asked now and then: it may count by the hour. */
const MAX_INTERVAL_MS = 120_000;
/** So quick a pace is no limit worth keeping. */
const NO_INTERVAL_MS = 100;
const REFUSED = 2;
const PASSED_FAST = 0.6;
const PASSED_SLOWLY = 0.85;

/**
 * Finds how often somebody takes something, from the refusals alone: relays name no limit that could be
 * relied on. The interval doubles with a refusal and shrinks with whatever goes through: fast down to the
 * interval at which trouble last began, carefully below it. A limit that is gone is forgotten by itself.
 *
 * A state machine without I/O; times in milliseconds. Whoever sends takes a place before (`reserve`), and
 * tells what came of it.
 */
export class Throttle {
  /** 0: no limit is known. */
  #intervalMs = 0;
  #carefulBelowMs = FIRST_INTERVAL_MS;
  #nextAtMs = -Infinity;
  #slowedAtMs = -Infinity;
  /** When the row of refusals began that nothing has ended yet. */
  #deniedSinceMs: number | undefined;
  #deniedForMs = 0;

  get isLimited(): boolean {
    return this.#intervalMs > 0;
  }

  /** Changes with each refusal that slows down: a place that was taken before it is none any more. */
  get slowedAtMs(): number {
    return this.#slowedAtMs;
  }

  /** How many may go within so long from now. */
  room(nowMs: number, withinMs: number): number {
    if (!this.isLimited) return Infinity;
    const leftMs = nowMs + withinMs - this.#nextAtMs;
    return leftMs < 0 ? 0 : 1 + Math.floor(Math.min(leftMs, withinMs) / this.#intervalMs);
  }

  now(nowMs: number): Throttling {
    return { untilMs: Math.max(nowMs, this.#nextAtMs), deniedForMs: this.#deniedForMs };
  }

  /**
   * Takes the next place, where that is no later than so long from now. @returns when it is; undefined: too
   * late
   */
  reserve(nowMs: number, withinMs: number): number | undefined {
    if (!this.isLimited) return nowMs;
    if (this.room(nowMs, withinMs) === 0) return undefined;
    const atMs = Math.max(nowMs, this.#nextAtMs);
    this.#nextAtMs = atMs + this.#intervalMs;
    return atMs;
  }

  passed(nowMs: number): void {
    this.#deniedSinceMs = undefined;
    this.#deniedForMs = 0;
    if (!this.isLimited) return;
    // The last interval before the one that was too short: that one is not to be tried again at once.
    const carefulMs = this.#carefulBelowMs / PASSED_SLOWLY;
    this.#intervalMs =
      this.#intervalMs > carefulMs
        ? Math.max(this.#intervalMs * PASSED_FAST, carefulMs)
        : this.#intervalMs * PASSED_SLOWLY;
    this.#nextAtMs = Math.min(this.#nextAtMs, nowMs + this.#intervalMs);
    if (this.#intervalMs < NO_INTERVAL_MS) this.#intervalMs = 0;
  }

  /** What was sent before the last slowing down says nothing new about the pace. */
  refused(sentAtMs: number, nowMs: number): void {
    const isFirst = this.#deniedSinceMs === undefined;
    this.#deniedSinceMs ??= sentAtMs;
    this.#deniedForMs = nowMs - this.#deniedSinceMs;
    if (sentAtMs <= this.#slowedAtMs) return;
    // Refusals in a row are one piece of trouble: it began at the interval of the first.
    if (isFirst && this.isLimited) this.#carefulBelowMs = this.#intervalMs;
    this.#intervalMs = this.isLimited
      ? Math.min(this.#intervalMs * REFUSED, MAX_INTERVAL_MS)
      : FIRST_INTERVAL_MS;
    this.#slowedAtMs = nowMs;
    this.#nextAtMs = nowMs + this.#intervalMs;
  }
}
