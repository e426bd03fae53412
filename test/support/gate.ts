import type { DevBunker } from '../../dev/bunker';

/** Bunkers that can be told to wait before each signature. */
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
 * The bunker gives so many signatures and holds every further one, so that a run goes on for as long as a test
 * has something to do to it. A fixed delay would be over first on a machine under load.
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
