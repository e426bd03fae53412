/**
 * How many requests may be at a bunker at once. It follows from how long the answers take, as in TCP Vegas
 * and Netflix's concurrency limits. A slow bunker that does one after the other has one in work and one that
 * waits: it is neither idle nor drowned. One that does many at once is asked for more until its answers take
 * longer.
 *
 * One request until the bunker has encrypted and signed once: it may be away, or ask a person. A state
 * machine without I/O; latencies in milliseconds.
 */
export class RequestWindow {
  #limit = 1;
  /** The questions that it has answered so far. */
  readonly #answered = new Set<Question>();
  /** How long an answer takes alone: the quickest, or the last one for which nothing else was in flight. */
  readonly #aloneMs = new Map<Question, number>();
  /** Grows with each answer, as nothing is known of a limit. */
  #isNew = true;
  #quickAnswers = 0;
  #slowAnswers = 0;
  #halvedAtMs = -Infinity;

  /** @param timeoutMs after so long a request is taken for lost */
  constructor(
    private readonly ceiling: number,
    private readonly timeoutMs: number,
  ) {}

  get limit(): number {
    return this.#limit;
  }

  /** @param inFlight requests that were at the bunker when this one was sent, itself among them */
  answered(question: Question, latencyMs: number, inFlight: number): void {
    const aloneMs = inFlight === 1 ? latencyMs : Math.min(latencyMs, this.#aloneMs.get(question) ?? Infinity);
    this.#aloneMs.set(question, aloneMs);
    this.#answered.add(question);
    if (this.#answered.size < QUESTIONS.length) return;
    if (latencyMs > SLOW * aloneMs + SLOW_MS) this.#noteSlow();
    else if (latencyMs > QUICK * aloneMs + QUICK_MS) this.#isNew = false;
    // While it grows, what comes back was sent when it was smaller.
    else if (2 * inFlight > this.#limit && this.#hasTimeForOneMore(latencyMs)) this.#noteQuick();
  }

  /**
   * A request was not answered, or the bunker has said that it is too much.
   *
   * @param sentAtMs of the request; those that were sent before the last halving say nothing new
   */
  lost(sentAtMs: number, nowMs: number): void {
    if (sentAtMs < this.#halvedAtMs) return;
    this.#halvedAtMs = nowMs;
    this.#isNew = false;
    this.#set(Math.floor(this.#limit / 2));
  }

  /** A person is asked: nothing further is to be asked beside, and the next request may ask a person too. */
  beginAnew(): void {
    this.#answered.clear();
    this.#isNew = false;
    this.#set(1);
  }

  /** Where it does one after the other, one more makes each wait longer. */
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
    // It has become slower for good, as far as is known: what it once did is no measure any more.
    if (this.#limit === 1) this.#aloneMs.clear();
    this.#quickAnswers = 0;
    this.#slowAnswers = 0;
  }
}

/** What documents are made of: other requests tell nothing of how quickly these are answered. */
const QUESTIONS = ['encryption', 'signature'] as const;
export type Question = (typeof QUESTIONS)[number];

/** An answer that took no longer than this is no sign of a queue. */
const QUICK = 1.5;
const QUICK_MS = 50;
/** One that took longer than this is. Between the two the window stays as it is: one in work, one in wait. */
const SLOW = 2.5;
const SLOW_MS = 100;
/** Longer than this no request is to take by what is foreseen. */
const MAX_OF_TIMEOUT = 0.8;
