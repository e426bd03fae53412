import { untilCalled } from '../../async/wait';
import type { SignerCall } from '../signers/signer';
import type { Answer } from './kept-answers';

interface Waiter {
  call: SignerCall;
  /** Accepts that silence may mean a person is being asked. */
  isPatient: boolean;
  settle(end: Answer | { failure: unknown }): void;
}

/** The callers who wait for the answer to one request. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();
  readonly #listeners = new Set<() => void>();

  get size(): number {
    return this.#waiting.size;
  }

  calls(): SignerCall[] {
    return [...this.#waiting].map(({ call }) => call);
  }

  /**
   * Waits for the answer. Rejects with the reason of the call's signal, with the refusal, or with the
   * failure.
   *
   * @param onLeft called at the moment in which the caller leaves
   */
  async wait(call: SignerCall, isPatient: boolean, onLeft: () => void): Promise<string> {
    const end = await untilCalled<Parameters<Waiter['settle']>[0]>((settle) => {
      const waiter = { call, isPatient, settle };
      this.#waiting.add(waiter);
      return () => {
        this.#waiting.delete(waiter);
        onLeft();
      };
    }, call.signal);
    if ('result' in end) return end.result;
    throw 'refusal' in end ? end.refusal : end.failure;
  }

  settle(end: Answer | { failure: unknown }): void {
    for (const { settle } of this.#waiting) settle(end);
    this.#waiting.clear();
  }

  /** At least one caller accepts that silence may mean a person is being asked. */
  get arePatient(): boolean {
    return [...this.#waiting].some(({ isPatient }) => isPatient);
  }

  /** Ends the wait of the impatient callers. */
  giveUp(reason: unknown): void {
    for (const waiter of this.#waiting) {
      if (waiter.isPatient) continue;
      this.#waiting.delete(waiter);
      waiter.settle({ failure: reason });
    }
  }

  /** Resolves when nobody waits any more. Rejects with the signal's reason. */
  async untilLeft(signal?: AbortSignal): Promise<void> {
    if (this.size === 0) return;
    await untilCalled((left) => {
      this.#listeners.add(left);
      return () => this.#listeners.delete(left);
    }, signal);
  }

  /** Call it after the last caller has left. */
  tellLeft(): void {
    for (const left of this.#listeners) left();
    this.#listeners.clear();
  }
}
