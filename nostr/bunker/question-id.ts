import { createHmac } from 'node:crypto';

/** Identifies a question of a run, which may be asked again. */
export interface RunQuestion {
  runId: string;
  /**
   * Rises after an answer that could not be used, and when a person retries: some bunkers repeat their answer
   * to a request id for ever.
   */
  n: number;
}

/**
 * Request ids that are the same for the same question from every caller, such as another attempt, or another
 * worker after a crash. So a bunker that asks a person shows the question once. Bunkers log request ids:
 * without the client key nobody can tell from an id what was asked.
 */
export class QuestionIds {
  readonly #key: Uint8Array;

  constructor(clientSecretKey: Uint8Array) {
    this.#key = createHmac('sha256', clientSecretKey).update('republish request ids').digest();
  }

  /** 128 bits, as hex. */
  of({ runId, n }: RunQuestion, method: string, params: readonly string[]): string {
    const question = JSON.stringify([runId, n, method, params]);
    return createHmac('sha256', this.#key).update(question).digest('hex').slice(0, 32);
  }

  wipe(): void {
    this.#key.fill(0);
  }
}
