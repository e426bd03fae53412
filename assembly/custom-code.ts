import { unlessAborted } from '../async/wait';
import { type FailureType, isFailureType, RepublishError, scopeOf } from '../contract/failures';
import { codeOf } from '../contract/import-file';

/* What keeps the rest of the program safe from code that others have written. */

/** Thrown where a call has not ended in time. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
}

export interface Deadline {
  /** Aborts at the deadline, and when the caller gives up. */
  signal: AbortSignal;
  /** From now on it may take so long. */
  extendTo(timeoutMs: number): void;
}

/**
 * Ends when `work` ends, at the deadline, or when `signal` aborts, whatever `work` does then.
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
 * What the code of others has thrown, as a failure of the catalogue. One of these scopes stays as it is, also
 * one that another copy of this package has made. Of any other the name and code are told, and not the
 * message, which may quote a secret.
 *
 * @param otherwise the type of any other error
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
