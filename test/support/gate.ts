import type { DevBunker } from '../../dev/bunker';

/** Holds bunkers before each signature while it is closed. */
export class Gate {
  #opened: Promise<void> | undefined;
  open: () => void = () => undefined;

  close(): void {
    this.#opened = new Promise((resolve) => {
      this.open = () => {
        this.#opened = undefined;
        resolve();
      };
    });
  }

  get onRequest() {
    return ({ method }: { method: string }): Promise<void> | undefined =>
      method === 'sign_event' ? this.#opened : undefined;
  }
}

export interface HeldBunker {
  /** The bunker was asked for one more signature than it gives: the run cannot end. */
  isHeld(): boolean;
  /** Gives the signatures that wait, and every further one. */
  release(): void;
}

/**
 * The bunker gives this number of signatures and holds every further one. The run cannot end before the test
 * has acted. On a machine under load a fixed delay would be over first.
 */
export function holdAfter(bunker: DevBunker, signatures: number): HeldBunker {
  let asked = 0;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  bunker.setFaults(async ({ method }) => {
    if (method === 'sign_event' && (asked += 1) > signatures) await released;
    return undefined;
  });
  return { isHeld: () => asked > signatures, release: () => release() };
}
