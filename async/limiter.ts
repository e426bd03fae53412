import { untilCalled } from './wait';

interface Waiting {
  rank: number;
  admit(): void;
}

/**
 * Lets at most `limit` pieces of work run at the same time. Of those that wait, the one with the lowest rank
 * is next; equal ranks go in the order in which they came.
 */
export class Limiter {
  #running = 0;
  #waiting: Waiting[] = [];
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#admit();
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal, rank = 0): Promise<T> {
    await this.#enter(signal, rank);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#admit();
    }
  }

  #admit(): void {
    while (this.#running < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running += 1;
      next.admit();
    }
  }

  async #enter(signal: AbortSignal | undefined, rank: number): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.#limit) {
      this.#running += 1;
      return;
    }
    await untilCalled((admit) => {
      const waiting: Waiting = { rank, admit };
      const behind = this.#waiting.findIndex((other) => other.rank > rank);
      this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, waiting);
      return () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      };
    }, signal);
  }
}
