/**
 * Lets at most `limit` pieces of work run at once; the others wait in the order in which they came. One limiter stands
 * for one bunker, whoever asks it for whichever document.
 */
export class Limiter {
  #running = 0;
  #waiting: (() => void)[] = [];

  constructor(readonly limit: number) {}

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.limit) {
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
        this.#waiting = this.#waiting.filter((other) => other !== admit);
        reject(signal?.reason as Error);
      };
      this.#waiting.push(admit);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
