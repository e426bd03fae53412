import { unlessAborted } from '../async/wait';
import { type FailureType, isFailureType, RepublishError } from '../contract/failures';
import { storable } from '../contract/free-text';
import { fieldOf, nameAndCode } from '../documents/import-file';

/** Protects the rest of the program from code that others wrote. */

const MAX_REMEDY_LENGTH = 1_000;

/** A call did not end in time. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
}

export interface Deadline {
  /** Aborts at the deadline, and when the caller's signal aborts. */
  signal: AbortSignal;
  /** Starts the time again, with this timeout. Does nothing when the call has ended. */
  extendTo(timeoutMs: number): void;
}

/**
 * Ends when `work` ends, at the deadline, or when `signal` aborts, even if `work` continues.
 *
 * @throws TooLate, the reason of `signal`, and what `work` throws
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (deadline: Deadline) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const late = new AbortController();
  const startIn = (ms: number): NodeJS.Timeout =>
    setTimeout(() => late.abort(new TooLate(`no answer within ${ms / 1_000} s`)), ms);
  let timer: NodeJS.Timeout | undefined = startIn(timeoutMs);
  const ended = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])]);
  try {
    ended.throwIfAborted();
    const deadline: Deadline = {
      signal: ended,
      extendTo(ms) {
        if (timer === undefined) return;
        clearTimeout(timer);
        timer = startIn(ms);
      },
    };
    return await unlessAborted(work(deadline), ended);
  } finally {
    clearTimeout(timer);
    timer = undefined;
  }
}

/**
 * Turns what foreign code threw into a failure of the catalogue. A RepublishError of a kept type keeps its
 * words, even from another copy of this package; the failure is a new one, so that each of its fields is what
 * it should be. Of any other error only name and code are shown: its message may quote a secret.
 *
 * @param keeps whether the foreign code may throw this type
 * @param what happened, in a few words
 */
export function namedFailure(
  thrown: unknown,
  keeps: (type: FailureType) => boolean,
  otherwise: FailureType,
  what: string,
): RepublishError {
  const type = fieldOf(thrown, 'type');
  const message = fieldOf(thrown, 'message');
  const isOurs = fieldOf(thrown, 'name') === 'RepublishError' && typeof message === 'string';
  if (!isOurs || !isFailureType(type) || !keeps(type))
    return new RepublishError(
      otherwise,
      `${what}: ${nameAndCode(thrown)}, whose message is not repeated here`,
    );
  const remedy = fieldOf(thrown, 'remedy');
  return new RepublishError(type, message, {
    // The constructor takes no other pause than it should.
    retryAfterMs: fieldOf(thrown, 'retryAfterMs') as number | undefined,
    remedy: typeof remedy === 'string' ? storable(remedy.slice(0, MAX_REMEDY_LENGTH)) : undefined,
  });
}
