/** So many documents of a run are on their way before its signer has answered any. */
const FIRST_AT_ONCE = 2;

interface Asked {
  pages: number;
  answered: boolean;
  inWork: number;
  waiting: Set<() => void>;
}

/**
 * Begins the documents of a run with one or two, until its signer has answered: one that is away, or asks a
 * person, is not to be met by a hundred requests at once. Shared by the pages of a run in this process.
 */
export class FirstQuestions {
  readonly #runs = new Map<string, Asked>();

  /** A page of the run is in work until `leave`. */
  enter(runId: string): QuestionsOfRun {
    const asked = this.#runs.get(runId) ?? { pages: 0, answered: false, inWork: 0, waiting: new Set() };
    this.#runs.set(runId, asked);
    asked.pages += 1;
    return new QuestionsOfRun(asked, () => {
      asked.pages -= 1;
      if (asked.pages === 0) this.#runs.delete(runId);
    });
  }
}

class QuestionsOfRun {
  constructor(
    private readonly asked: Asked,
    /** The page is done. */
    readonly leave: () => void,
  ) {}

  /**
   * Waits for a place; resolves to false when `signal` aborts first. Each place is given back with `done`.
   */
  async begin(signal: AbortSignal): Promise<boolean> {
    const { asked } = this;
    while (!asked.answered && asked.inWork >= FIRST_AT_ONCE) {
      if (signal.aborted) return false;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          asked.waiting.delete(go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        asked.waiting.add(go);
        signal.addEventListener('abort', go, { once: true });
      });
    }
    if (signal.aborted) return false;
    asked.inWork += 1;
    return true;
  }

  /** A document is through, or has met with trouble of the signer: then the next ones are the first again. */
  done(answer: 'answered' | 'trouble' | 'nothing'): void {
    const { asked } = this;
    asked.inWork -= 1;
    if (answer !== 'nothing') asked.answered = answer === 'answered';
    for (const go of [...asked.waiting]) go();
  }
}

export type { QuestionsOfRun };
