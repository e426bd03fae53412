/** What is known of a relay or bunker that has reached its rate limit. */
export interface Throttling {
  /** When the next may be let through: an estimate. */
  untilMs: number;
  /** For how long everything was refused up to the last refusal; 0 when the last try went through. */
  deniedForMs: number;
}

/** After the first refusal we try again after this time. */
const FIRST_INTERVAL_MS = 1_000;
/** A relay that refuses everything is still tried at this interval: its limit may be for an hour. */
const MAX_INTERVAL_MS = 120_000;
/** An interval this short is no limit. */
const NO_INTERVAL_MS = 100;
const REFUSED = 2;
const PASSED_FAST = 0.6;
const PASSED_SLOWLY = 0.85;

/**
 * Finds the rate limit of a relay or bunker from its refusals: relays do not name a limit that is reliable.
 * Each refusal doubles the interval, and each success shortens it: quickly down to the interval at which the
 * refusals began, slowly below it. So a limit that no longer exists is forgotten.
 *
 * A state machine without I/O; times in milliseconds. The sender reserves a time (`reserve`), and then
 * reports the result (`passed` or `refused`).
 */
export class Throttle {
  /** 0: no limit is known. */
  #intervalMs = 0;
  #carefulBelowMs = FIRST_INTERVAL_MS;
  #nextAtMs = -Infinity;
  #slowedAtMs = -Infinity;
  /** When the current row of refusals began. */
  #deniedSinceMs: number | undefined;
  #deniedForMs = 0;

  get isLimited(): boolean {
    return this.#intervalMs > 0;
  }

  /** Changes with each refusal that slows down. A time that was reserved before is then invalid. */
  get slowedAtMs(): number {
    return this.#slowedAtMs;
  }

  /** How many may be sent in the next `withinMs`. */
  room(nowMs: number, withinMs: number): number {
    if (!this.isLimited) return Infinity;
    const leftMs = nowMs + withinMs - this.#nextAtMs;
    return leftMs < 0 ? 0 : 1 + Math.floor(Math.min(leftMs, withinMs) / this.#intervalMs);
  }

  now(nowMs: number): Throttling {
    return { untilMs: Math.max(nowMs, this.#nextAtMs), deniedForMs: this.#deniedForMs };
  }

  /**
   * Reserves the next time, if it is within `withinMs`. @returns that time; undefined: it is later
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
