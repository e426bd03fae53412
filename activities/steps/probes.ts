import { createHmac } from 'node:crypto';
import type { RunQuestion } from '../../nostr/bunker/question-id';

interface Probed {
  runId: string;
  /** As `nameOfSigner` makes it. */
  signer: string;
}

/**
 * What the proofs of a run ask a signer to encrypt. It is the same question in each attempt and on each
 * worker: a person answers it once, and an answer that comes between two attempts counts.
 */
export class Probes {
  /** How many answers could not be used. After each of them the question is another one. */
  readonly #useless = new Map<string, number>();

  /** @param key of this worker's secrets; every worker has the same */
  constructor(private readonly key: Uint8Array) {}

  questionOf({ runId, signer }: Probed): RunQuestion {
    return { runId, n: this.#useless.get(`${runId} ${signer}`) ?? 0 };
  }

  /** The secret key of the recipient, 32 bytes. No machine has it. */
  recipientOf({ runId }: Pick<Probed, 'runId'>): Uint8Array {
    return createHmac('sha256', this.key).update(`recipient of the proof of ${runId}`).digest();
  }

  noteUselessAnswer(probed: Probed): void {
    const { n, runId } = this.questionOf(probed);
    this.#useless.set(`${runId} ${probed.signer}`, n + 1);
  }

  forget({ runId, signer }: Probed): void {
    this.#useless.delete(`${runId} ${signer}`);
  }
}
