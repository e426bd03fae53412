import { sleep, untilCalled } from '../../async/wait';
import { Pace, type PaceSettings } from '../../rules/pace';

/** Replaces the clock in tests, which cannot wait for minutes. */
export interface Clock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

const REAL_CLOCK: Clock = { nowMs: () => Date.now(), sleep };

/**
 * Gentler than for the relays of documents: every request of a run goes this way, so 90% of a limit has to be
 * used. A relay that counts by the minute refuses everything for a while, and then takes everything.
 */
const PACE: PaceSettings = {
  refused: 1.25,
  passed: 0.8,
  margin: 1.25,
  // Adds 0.02 requests per second.
  carefully: (intervalMs) => 1_000 / (1_000 / intervalMs + 0.02),
  maxIntervalMs: 5_000,
  minIntervalMs: 0,
};
/** What went through shortly before the first refusal tells most about the limit. */
const LOOK_BACK_MS = 5_000;
/** The part of that rate to begin with. */
const OF_RECENT_RATE = 0.8;
const MAX_PASSES = 1_000;

/**
 * The pace at which a bunker and its relays take requests. One pacer serves all requests to a bunker, so that
 * many documents do not each find the limit again.
 */
export class RequestPacer {
  readonly #pace = new Pace(PACE);
  #waiting: (() => void)[] = [];
  #isLettingThrough = false;
  #lastPassMs = -Infinity;
  /** When requests were passed on, while no limit is known. */
  #passes: number[] = [];

  constructor(private readonly clock: Clock = REAL_CLOCK) {}

  /** Requests per second that are let through now; Infinity while no relay has refused any. */
  get ratePerS(): number {
    return this.#pace.isLimited ? 1_000 / this.#pace.intervalMs : Infinity;
  }

  /** How many callers wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Milliseconds since a request was last passed on. */
  get idleMs(): number {
    return this.clock.nowMs() - this.#lastPassMs;
  }

  /** Waits for a turn; `again` goes before the others. Rejects with the signal's reason. */
  async take(signal?: AbortSignal, again = false): Promise<void> {
    signal?.throwIfAborted();
    if (!this.#pace.isLimited) return;
    await untilCalled((go) => {
      if (again) this.#waiting.unshift(go);
      else this.#waiting.push(go);
      void this.#letThrough();
      return () => {
        this.#waiting = this.#waiting.filter((other) => other !== go);
      };
    }, signal);
  }

  /** Lets callers through one by one. It looks at the pace for each: the pace may have changed meanwhile. */
  async #letThrough(): Promise<void> {
    if (this.#isLettingThrough) return;
    this.#isLettingThrough = true;
    while (this.#waiting.length > 0) {
      const nowMs = this.clock.nowMs();
      if (this.#pace.reserve(nowMs, 0) !== undefined) this.#waiting.shift()?.();
      else await this.clock.sleep(this.#pace.now(nowMs).untilMs - nowMs);
    }
    this.#isLettingThrough = false;
  }

  /** A relay has passed a request on. The bunker may still refuse it for its rate. */
  passed(): void {
    const nowMs = this.clock.nowMs();
    this.#lastPassMs = nowMs;
    if (this.#pace.isLimited) return;
    this.#passes.push(nowMs);
    if (this.#passes.length > MAX_PASSES) this.#passes.shift();
  }

  /**
   * A request was answered. A request from before the last slowing down tells nothing about the pace since.
   */
  answered(sentAtMs: number): void {
    if (sentAtMs > this.#pace.slowedAtMs) this.#pace.passed(this.clock.nowMs());
  }

  /** A relay or the bunker has refused a request for its rate. */
  refused(sentAtMs: number): void {
    const nowMs = this.clock.nowMs();
    this.#pace.refused(sentAtMs, nowMs, 1_000 / (this.#recentRatePerS(nowMs) * OF_RECENT_RATE));
    this.#passes = [];
  }

  #recentRatePerS(nowMs: number): number {
    const recent = this.#passes.filter((atMs) => atMs > nowMs - LOOK_BACK_MS);
    const spanMs = Math.max(1_000, nowMs - (recent[0] ?? nowMs));
    return Math.max(1, (recent.length * 1_000) / spanMs);
  }
}
