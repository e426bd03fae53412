import { onTimeout } from '../../async/wait';

/** The timers of one request. `stopAll` stops them all when the request ends. */
export class Timers {
  readonly #stops = new Set<() => void>();

  /** @returns stops this one */
  after(ms: number, act: () => void): () => void {
    const stopTimer = onTimeout(ms, () => {
      this.#stops.delete(stop);
      act();
    });
    const stop = (): void => {
      stopTimer();
      this.#stops.delete(stop);
    };
    this.#stops.add(stop);
    return stop;
  }

  stopAll(): void {
    for (const stop of this.#stops) stop();
  }
}
