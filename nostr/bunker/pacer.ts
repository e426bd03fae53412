import { sleep, untilCalled } from '../../async/wait';

/** Time, for tests that cannot wait for minutes. */
export interface Clock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

const REAL_CLOCK: Clock = { nowMs: () => Date.now(), sleep };

const DECREASE = 0.8;
const FAST_INCREASE = 1.25;
const SLOW_INCREASE_PER_S = 0.02;
/** A relay that refuses everything is still asked now and then: it may count by the minute. */
const MIN_RATE_PER_S = 0.2;
/** What a relay that refused for the first time had let through shortly before says most about its limit. */
const LOOK_BACK_MS = 5_000;

/**
 * Finds the rate at which a bunker and its relays take requests, from their refusals alone: they name no
 * limit that could be relied on. Additive increase, multiplicative decrease; below the rate at which trouble
 * last began it recovers fast, as a relay that counts by the minute lets nothing through for a while and then
 * everything.
 *
 * One pacer serves all requests to a bunker, so that many documents do not each find the limit anew.
 */
export class Pacer {
  #ratePerS = Infinity;
  #fastBelowPerS = Infinity;
  #lastAtMs = -Infinity;
  #waiting: (() => void)[] = [];
  #lettingThrough = false;
  #slowedAtMs = -Infinity;
  #answeredSinceSlowed = true;
  #lastPassMs = -Infinity;
  #passes: number[] = [];

  constructor(private readonly clock: Clock = REAL_CLOCK) {}

  /** Requests a second that are let through now; Infinity while no relay has refused any. */
  get ratePerS(): number {
    return this.#ratePerS;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Milliseconds since a request was last passed on. */
  get idleMs(): number {
    return this.clock.nowMs() - this.#lastPassMs;
  }

  /** Waits for a place in the rate; `again` goes before the others. Rejects with the signal's reason. */
  async take(signal?: AbortSignal, again = false): Promise<void> {
    signal?.throwIfAborted();
    if (this.#ratePerS === Infinity) return;
    await untilCalled((go) => {
      if (again) this.#waiting.unshift(go);
      else this.#waiting.push(go);
      void this.#letThrough();
      return () => {
        this.#waiting = this.#waiting.filter((other) => other !== go);
      };
    }, signal);
  }

  /**
   * Lets those who wait go one by one. Looks at the rate anew for each: it may have changed while they
   * waited.
   */
  async #letThrough(): Promise<void> {
    if (this.#lettingThrough) return;
    this.#lettingThrough = true;
    while (this.#waiting.length > 0) {
      const waitMs = Math.max(this.#lastAtMs, this.#slowedAtMs) + 1_000 / this.#ratePerS - this.clock.nowMs();
      if (waitMs > 0) {
        await this.clock.sleep(waitMs);
        continue;
      }
      this.#lastAtMs = this.clock.nowMs();
      this.#waiting.shift()?.();
    }
    this.#lettingThrough = false;
  }

  /** A relay has passed a request on. That is no answer yet: the bunker may find it too much all the same. */
  passed(): void {
    const nowMs = this.clock.nowMs();
    this.#lastPassMs = nowMs;
    if (this.#ratePerS !== Infinity) return;
    this.#passes.push(nowMs);
    if (this.#passes.length > 1_000) this.#passes.shift();
  }

  /** A request was answered. What was sent before the last slowing down says nothing about the rate since. */
  answered(sentAtMs: number): void {
    if (this.#ratePerS === Infinity || sentAtMs <= this.#slowedAtMs) return;
    this.#answeredSinceSlowed = true;
    this.#ratePerS =
      this.#ratePerS < this.#fastBelowPerS
        ? this.#ratePerS * FAST_INCREASE
        : this.#ratePerS + SLOW_INCREASE_PER_S;
  }

  /**
   * A relay or the bunker has refused a request for its rate. Refusals of what was sent before the last
   * slowing down say nothing new.
   */
  refused(sentAtMs: number): void {
    const nowMs = this.clock.nowMs();
    if (sentAtMs <= this.#slowedAtMs) return;
    const ratePerS = (this.#ratePerS === Infinity ? this.#recentRate(nowMs) : this.#ratePerS) * DECREASE;
    this.#ratePerS = Math.max(ratePerS, MIN_RATE_PER_S);
    // Refusals in a row are one piece of trouble: it began at the rate of the first.
    if (this.#answeredSinceSlowed) this.#fastBelowPerS = this.#ratePerS;
    this.#answeredSinceSlowed = false;
    this.#slowedAtMs = nowMs;
    this.#passes = [];
  }

  #recentRate(nowMs: number): number {
    const recent = this.#passes.filter((atMs) => atMs > nowMs - LOOK_BACK_MS);
    const spanMs = Math.max(1_000, nowMs - (recent[0] ?? nowMs));
    return Math.max(1, (recent.length * 1_000) / spanMs);
  }
}
