import type { SignerCall } from '../signers/signer';
import { type Answer, KeptAnswers } from './kept-answers';
import type { BunkerLink } from './link';
import type { BunkerRequest } from './request';

/** The requests without an answer, and the answers to questions that may be asked again. */
export class OpenRequests {
  readonly #byId = new Map<string, BunkerRequest>();
  readonly #byEventId = new Map<string, BunkerRequest>();
  readonly #kept = new KeptAnswers();

  get size(): number {
    return this.#byId.size;
  }

  all(): BunkerRequest[] {
    return [...this.#byId.values()];
  }

  byId(id: string): BunkerRequest | undefined {
    return this.#byId.get(id);
  }

  byEventId(eventId: string): BunkerRequest | undefined {
    return this.#byEventId.get(eventId);
  }

  /** A request that waits for a person's approval and that somebody waits for. */
  approval(): BunkerRequest | undefined {
    for (const request of this.#byId.values())
      if (request.approvalUrl !== undefined && request.isWaitedFor) return request;
    return undefined;
  }

  isSentOver(link: BunkerLink): boolean {
    return this.all().some(({ delivery }) => delivery.isSentOver(link));
  }

  add(id: string, request: BunkerRequest): void {
    this.#byId.set(id, request);
  }

  addEvent(eventId: string, request: BunkerRequest): void {
    this.#byEventId.set(eventId, request);
  }

  /** @param answer to a question that may be asked again */
  end(id: string, answer?: Answer, isTaken = true): void {
    const request = this.#byId.get(id);
    this.#byId.delete(id);
    for (const eventId of request?.delivery.eventIds ?? []) this.#byEventId.delete(eventId);
    if (answer !== undefined) this.#kept.keep(id, answer, isTaken);
  }

  /** Waits for the answer where the question was asked before. Undefined: it has to be asked. */
  join(id: string, call: SignerCall): Promise<string> | undefined {
    const answer = this.#kept.take(id);
    if (answer === undefined) return this.#byId.get(id)?.wait(call);
    return 'result' in answer ? Promise.resolve(answer.result) : Promise.reject(answer.refusal);
  }

  /** An answer that counts may still come, or has come and nobody has taken it yet. */
  get areAwaited(): boolean {
    return this.size > 0 || this.#kept.hasUntaken();
  }

  clear(): void {
    this.#kept.clear();
  }
}
