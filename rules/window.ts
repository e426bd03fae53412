/**
 * How many requests may be in flight at a bunker. The limit follows the latency of the answers, as in TCP
 * Vegas and Netflix's concurrency limits. A bunker that works on one request after the other gets two: one in
 * work and one that waits. A bunker that works on several at the same time gets more until its answers take
 * longer.
 *
 * The limit is one until the bunker has encrypted and signed once: it may be away, or ask a person. A state
 * machine without I/O; latencies in milliseconds.
 */
export class RequestWindow {
  #limit = 1;
  /** The kinds of requests that it has answered so far. */
  readonly #answered = new Set<RequestKind>();
  /** Latency alone: the shortest one, or the last one for which no other request was in flight. */
  readonly #aloneMs = new Map<RequestKind, number>();
  /** True until the first slow or lost answer: the limit grows with each quick answer. */
  #isNew = true;
  #quickAnswers = 0;
  #slowAnswers = 0;
  #halvedAtMs = -Infinity;

  /** @param timeoutMs after this time a request counts as lost */
  constructor(
    private readonly ceiling: number,
    private readonly timeoutMs: number,
  ) {}

  get limit(): number {
    return this.#limit;
  }

  /** @param inFlight requests that were at the bunker when this one was sent, itself among them */
  answered(kind: RequestKind, latencyMs: number, inFlight: number): void {
    const aloneMs = inFlight === 1 ? latencyMs : Math.min(latencyMs, this.#aloneMs.get(kind) ?? Infinity);
    this.#aloneMs.set(kind, aloneMs);
    this.#answered.add(kind);
    if (this.#answered.size < REQUEST_KINDS.length) return;
    if (latencyMs > SLOW * aloneMs + SLOW_MS) this.#noteSlow();
    else if (latencyMs > QUICK * aloneMs + QUICK_MS) this.#isNew = false;
    // While the limit grows, an answer belongs to a request of a time when it was smaller.
    else if (2 * inFlight > this.#limit && this.#hasTimeForOneMore(latencyMs)) this.#noteQuick();
  }

  /**
   * A request was not answered, or the bunker answered that it gets too many.
   *
   * @param sentAtMs of the request. A request from before the last halving does not count again
   */
  lost(sentAtMs: number, nowMs: number): void {
    if (sentAtMs < this.#halvedAtMs) return;
    this.#halvedAtMs = nowMs;
    this.#isNew = false;
    this.#set(Math.floor(this.#limit / 2));
  }

  /** A person is asked. No other request is sent meanwhile, because it may ask the person too. */
  restart(): void {
    this.#answered.clear();
    this.#isNew = false;
    this.#set(1);
  }

  /** At a bunker that works on one request after the other, one more makes each of them wait longer. */
  #hasTimeForOneMore(latencyMs: number): boolean {
    return (latencyMs * (this.#limit + 1)) / this.#limit <= this.timeoutMs * MAX_OF_TIMEOUT;
  }

  #noteQuick(): void {
    this.#quickAnswers += 1;
    if (this.#isNew || this.#quickAnswers >= this.#limit) this.#set(this.#limit + 1);
  }

  #noteSlow(): void {
    this.#isNew = false;
    this.#slowAnswers += 1;
    if (this.#slowAnswers >= this.#limit) this.#set(this.#limit - 1);
  }

  #set(limit: number): void {
    this.#limit = Math.max(1, Math.min(limit, this.ceiling));
    // The bunker has become slower: its earlier latency is no measure any more.
    if (this.#limit === 1) this.#aloneMs.clear();
    this.#quickAnswers = 0;
    this.#slowAnswers = 0;
  }
}

/** The two requests that each document needs. Only their latency sets the window. */
const REQUEST_KINDS = ['encryption', 'signature'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

/** An answer is quick up to `QUICK` times its latency alone, plus `QUICK_MS`. */
const QUICK = 1.5;
const QUICK_MS = 50;
/**
 * An answer is slow from `SLOW` times its latency alone, plus `SLOW_MS`. Between quick and slow the limit
 * stays: twice the latency is one request in work and one that waits.
 */
const SLOW = 2.5;
const SLOW_MS = 100;
/** The limit does not grow if an answer would then take more than this part of the timeout. */
const MAX_OF_TIMEOUT = 0.8;
