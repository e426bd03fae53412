import { createHmac } from 'node:crypto';

/** Which question of a run something is, for a bunker that may be asked the same again. */
export interface RunQuestion {
  runId: string;
  /**
   * How often it was put anew. It rises after an answer that could not be used, and when a person wants it
   * tried again: some bunkers repeat what they have once answered to an id, for ever.
   */
  n: number;
}

/**
 * Ids of requests that are the same for the same question, whoever asks it: another attempt, another worker,
 * one that comes after a crash. A bunker that asks a person then shows it once. Nobody without the client's
 * key can tell from an id what was asked: bunkers log them.
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
