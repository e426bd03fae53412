import { untilCalled } from '../../async/wait';
import type { SignerCall } from '../signers/signer';
import type { Answer } from './kept-answers';

interface Waiter {
  call: SignerCall;
  /** Takes silence for a person who is asked. */
  isPatient: boolean;
  settle(end: Answer | { failure: unknown }): void;
}

/** Those who wait for the answer to one request. */
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
   * Waits for the answer. Rejects with the reason of the call's signal, or with the refusal or the failure.
   *
   * @param onLeft told in the very moment in which the caller gives up
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

  /** Somebody takes silence for a person who is asked. */
  get arePatient(): boolean {
    return [...this.#waiting].some(({ isPatient }) => isPatient);
  }

  /** Ends the wait of all others. */
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

  /** To be told as soon as nobody waits any more. */
  tellLeft(): void {
    for (const left of this.#listeners) left();
    this.#listeners.clear();
  }
}
