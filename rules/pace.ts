/** What is known of a relay or bunker that limits the rate, and accepts nothing now. */
export interface PaceNow {
  /** When the next one may go: an estimate. */
  untilMs: number;
  /** For how long everything was refused up to the last refusal; 0 when the last try went through. */
  deniedForMs: number;
}

/** How a pace follows refusals. All intervals are between two things that go, in milliseconds. */
export interface PaceSettings {
  /** Factor of the interval at a refusal: above 1. */
  refused: number;
  /** Factor of the interval when something goes through, as long as that is no risk: below 1. */
  passed: number;
  /**
   * Factor of the interval at which refusals last began. Below the product, `carefully` makes it shorter.
   */
  margin: number;
  /** The next interval after a success, near the interval at which refusals may begin again. */
  carefully(intervalMs: number): number;
  /** The longest interval. A relay or bunker that refuses everything may count by the minute or the hour. */
  maxIntervalMs: number;
  /** A shorter interval is no limit worth keeping. */
  minIntervalMs: number;
}

/**
 * The rate at which a relay or bunker accepts something. It is learned from refusals alone, because relays
 * and bunkers do not reliably say their limits. A refusal makes the interval longer. Each success makes it
 * shorter: in large steps until it is near the interval at which refusals last began, then in small steps.
 *
 * A state machine without I/O; times in milliseconds, by one clock. The caller takes a place before it sends
 * (`reserve`), and then calls `passed` or `refused`.
 */
export class Pace {
  /** 0: no limit is known. */
  #intervalMs = 0;
  #carefulFromMs = 0;
  #nextAtMs = -Infinity;
  #slowedAtMs = -Infinity;
  /** When the current series of refusals began. Undefined: the last answer was no refusal. */
  #deniedSinceMs: number | undefined;
  #deniedForMs = 0;

  constructor(private readonly settings: PaceSettings) {}

  get isLimited(): boolean {
    return this.#intervalMs > 0;
  }

  /** 0 while no limit is known. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** Changes with each refusal that slows down. A place that was taken before that no longer counts. */
  get slowedAtMs(): number {
    return this.#slowedAtMs;
  }

  /** How many may go within that time from now. */
  room(nowMs: number, withinMs: number): number {
    if (!this.isLimited) return Infinity;
    const leftMs = nowMs + withinMs - this.#nextAtMs;
    return leftMs < 0 ? 0 : 1 + Math.floor(Math.min(leftMs, withinMs) / this.#intervalMs);
  }

  now(nowMs: number): PaceNow {
    return { untilMs: Math.max(nowMs, this.#nextAtMs), deniedForMs: this.#deniedForMs };
  }

  /**
   * Takes the next place, unless it is later than that time from now.
   *
   * @returns when the place is; undefined: it is too late
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
    const { passed, carefully, minIntervalMs } = this.settings;
    this.#intervalMs =
      this.#intervalMs > this.#carefulFromMs
        ? Math.max(this.#intervalMs * passed, this.#carefulFromMs)
        : carefully(this.#intervalMs);
    this.#nextAtMs = Math.min(this.#nextAtMs, nowMs + this.#intervalMs);
    if (this.#intervalMs < minIntervalMs) this.#intervalMs = 0;
  }

  /**
   * A refusal of something that was sent before the last slowing down does not slow down again.
   *
   * @param firstIntervalMs the interval to begin with, where no limit was known
   */
  refused(sentAtMs: number, nowMs: number, firstIntervalMs: number): void {
    const isFirst = this.#deniedSinceMs === undefined;
    this.#deniedSinceMs ??= sentAtMs;
    this.#deniedForMs = nowMs - this.#deniedSinceMs;
    if (sentAtMs <= this.#slowedAtMs) return;
    const { refused, margin, maxIntervalMs } = this.settings;
    const tooShortMs = this.#intervalMs;
    this.#intervalMs = Math.min(this.isLimited ? tooShortMs * refused : firstIntervalMs, maxIntervalMs);
    // A series of refusals counts once, with the interval before its first refusal.
    if (isFirst) this.#carefulFromMs = tooShortMs > 0 ? tooShortMs * margin : this.#intervalMs;
    this.#slowedAtMs = nowMs;
    this.#nextAtMs = nowMs + this.#intervalMs;
  }
}
