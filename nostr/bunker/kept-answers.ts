import type { RepublishError } from '../../contract/failures';

/** A bunker's answer: a result or a refusal. */
export type Answer = { result: string } | { refusal: RepublishError };

interface Kept {
  answer: Answer;
  atMs: number;
  size: number;
  isTaken: boolean;
}

const MAX_KEPT = 1_000;
/** In characters: the largest ciphertexts and signed events have some 40,000. */
const MAX_SIZE = 8 * 1024 * 1024;
const MAX_AGE_MS = 60 * 60_000;

/**
 * Answers to questions that may be asked again, by request id: ciphertexts, signed events and refusals. The
 * bunker is not asked twice, also where nobody waited for the answer, or the caller could not store it. The
 * questions are not kept.
 */
export class KeptAnswers {
  /** Oldest first. */
  readonly #byId = new Map<string, Kept>();
  #size = 0;

  /** @param isTaken somebody waited for it */
  keep(id: string, answer: Answer, isTaken: boolean, nowMs = performance.now()): void {
    this.#forget(id);
    const size = 'result' in answer ? answer.result.length : 0;
    this.#byId.set(id, { answer, atMs: nowMs, size, isTaken });
    this.#size += size;
    this.#makeRoom(nowMs);
  }

  take(id: string, nowMs = performance.now()): Answer | undefined {
    this.#makeRoom(nowMs);
    const kept = this.#byId.get(id);
    if (kept === undefined) return undefined;
    kept.isTaken = true;
    return kept.answer;
  }

  /** There are answers that nobody has taken yet. */
  hasUntaken(nowMs = performance.now()): boolean {
    this.#makeRoom(nowMs);
    return [...this.#byId.values()].some(({ isTaken }) => !isTaken);
  }

  clear(): void {
    this.#byId.clear();
    this.#size = 0;
  }

  #makeRoom(nowMs: number): void {
    for (const [id, { atMs }] of this.#byId) {
      const fits = this.#byId.size <= MAX_KEPT && this.#size <= MAX_SIZE;
      if (fits && nowMs - atMs < MAX_AGE_MS) return;
      this.#forget(id);
    }
  }

  #forget(id: string): void {
    this.#size -= this.#byId.get(id)?.size ?? 0;
    this.#byId.delete(id);
  }
}
