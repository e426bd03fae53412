/**
 * Lets at most `limit` pieces of work run at once. Of the others the one with the lowest rank is next; equal
 * ones go in the order in which they came. One limiter stands for one bunker, whoever asks it for whichever
 * document.
 */
export class Limiter {
  #running = 0;
  #waiting: { rank: number; admit: () => void }[] = [];

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
    while (this.#running < this.#limit && this.#waiting.length > 0) this.#waiting.shift()?.admit();
  }

  async #enter(signal: AbortSignal | undefined, rank: number): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.#limit) {
      this.#running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const admit = (): void => {
        signal?.removeEventListener('abort', leave);
        this.#running += 1;
        resolve();
      };
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other.admit !== admit);
        reject(signal?.reason as Error);
      };
      const behind = this.#waiting.findIndex((other) => other.rank > rank);
      this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, { rank, admit });
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
