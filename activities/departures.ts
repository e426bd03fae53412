/** A slow signer's documents are not held back for longer than this, whatever they took. */
const MAX_HELD_MS = 2_000;
/** Part of a document's own time for which its result may be held back. */
const HELD_PART = 1 / 2;

interface Crowd {
  inWork: number;
  waiting: Set<() => void>;
  timer?: NodeJS.Timeout;
}

/**
 * Lets the results of a run's documents leave together. Each result on its own would cost the workflow a task of three
 * events and a replayed turn; together they cost one. Nothing is lost by it: what a result says is in the ledger already, a
 * run has more documents in work than its signer takes at once, and nobody waits for a document that is still in work.
 */
export class Departures {
  #crowds = new Map<string, Crowd>();

  /** A document of a run is taken into work. */
  enter(runId: string): Departure {
    const crowd = this.#crowds.get(runId) ?? { inWork: 0, waiting: new Set() };
    this.#crowds.set(runId, crowd);
    crowd.inWork += 1;
    return new Departure(crowd, () => {
      if (crowd.inWork === 0) this.#crowds.delete(runId);
    });
  }
}

/** One document on its way. */
export class Departure {
  #enteredAtMs = Date.now();

  constructor(
    private readonly crowd: Crowd,
    private readonly onLeft: () => void,
  ) {}

  /** Resolves when enough others are done too, at the latest after a part of the time that this one took. */
  async together(signal: AbortSignal): Promise<void> {
    const { crowd } = this;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        crowd.waiting.delete(go);
        go();
      };
      crowd.waiting.add(go);
      signal.addEventListener('abort', abort, { once: true });
      const heldMs = Math.min(MAX_HELD_MS, (Date.now() - this.#enteredAtMs) * HELD_PART);
      crowd.timer ??= setTimeout(() => releaseAll(crowd), heldMs);
      releaseIfEnough(crowd);
    });
  }

  /** It is not in work any more, however it ended. */
  left(): void {
    this.crowd.inWork -= 1;
    releaseIfEnough(this.crowd);
    this.onLeft();
  }
}

/** Half of what is in work: the other half keeps the signer busy until the next documents come. */
function releaseIfEnough(crowd: Crowd): void {
  if (crowd.waiting.size > 0 && crowd.waiting.size * 2 >= crowd.inWork) releaseAll(crowd);
}

function releaseAll(crowd: Crowd): void {
  clearTimeout(crowd.timer);
  delete crowd.timer;
  for (const go of crowd.waiting) go();
  crowd.waiting.clear();
}
