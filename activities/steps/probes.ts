import { createHmac } from 'node:crypto';
import { isUselessAnswer } from '../../nostr/bunker/messages';
import type { Probe } from '../../nostr/signers/prove';

interface Proof {
  runId: string;
  /** The result of `nameOfSigner`. */
  signer: string;
  /** When the workflow asked for it, in ms since 1970. After `republish retry` it is another time. */
  scheduledAtMs: number;
}

/**
 * What proofs ask a signer to encrypt. It is the same question in each attempt and on each worker: a person
 * answers it once, and an answer that comes between two attempts counts. After a refusal, or another answer
 * that cannot be used, the question changes, because some bunkers give the old answer again for ever.
 */
export class Probes {
  /** By proof: how many answers could not be used. After a restart of the worker it counts from 0 again. */
  readonly #useless = new Map<string, number>();

  /** @param key the `fingerprintKey`: every worker has the same */
  constructor(private readonly key: Uint8Array) {}

  of(proof: Proof): Probe {
    const { runId, scheduledAtMs } = proof;
    const name = nameOf(proof);
    const useless = this.#useless.get(name) ?? 0;
    return {
      // The time makes it another question after `republish retry`, the count after a useless answer.
      question: { runId, n: scheduledAtMs + useless },
      recipient: () => createHmac('sha256', this.key).update(`recipient of the proof of ${runId}`).digest(),
      onFailed: (failure) => {
        if (isUselessAnswer(failure)) this.#useless.set(name, useless + 1);
      },
    };
  }

  forget(proof: Proof): void {
    this.#useless.delete(nameOf(proof));
  }
}

function nameOf({ runId, signer, scheduledAtMs }: Proof): string {
  return `${runId} ${scheduledAtMs} ${signer}`;
}
