import { unlessAborted } from '../async/wait';
import { type FailureType, isFailureType, RepublishError, scopeOf } from '../contract/failures';
import { codeOf } from '../documents/import-file';

/** Protects the rest of the program from code that others wrote. */

/** A call did not end in time. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
}

export interface Deadline {
  /** Aborts at the deadline, and when the caller's signal aborts. */
  signal: AbortSignal;
  /** Starts the time again, with this timeout. */
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
  let timer = startIn(timeoutMs);
  const ended = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])]);
  try {
    ended.throwIfAborted();
    const deadline: Deadline = {
      signal: ended,
      extendTo(ms) {
        clearTimeout(timer);
        timer = startIn(ms);
      },
    };
    return await unlessAborted(work(deadline), ended);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Turns what foreign code threw into a failure of the catalogue. A RepublishError of one of the scopes stays
 * as it is, even from another copy of this package. Of any other error only name and code are shown: its
 * message may quote a secret.
 *
 * @param what happened, in a few words
 */
export function namedFailure(
  thrown: unknown,
  scopes: readonly ReturnType<typeof scopeOf>[],
  otherwise: FailureType,
  what: string,
): RepublishError {
  const { name, type, message, retryAfterMs, remedy } = fieldsOf(thrown);
  if (name === 'RepublishError' && isFailureType(type) && scopes.includes(scopeOf(type))) {
    if (thrown instanceof RepublishError) return thrown;
    return new RepublishError(type, String(message), {
      retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
      remedy: typeof remedy === 'string' ? remedy : undefined,
    });
  }
  const code = codeOf(thrown) ?? codeOf((thrown as { cause?: unknown } | null)?.cause);
  const named = typeof name === 'string' ? name : typeof thrown;
  return new RepublishError(
    otherwise,
    `${what}: ${named}${typeof code === 'string' ? ` (${code})` : ''}, whose message is not repeated here`,
  );
}

function fieldsOf(thrown: unknown): Record<string, unknown> {
  return typeof thrown === 'object' && thrown !== null ? (thrown as unknown as Record<string, unknown>) : {};
}
