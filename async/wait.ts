import { setMaxListeners } from 'node:events';
import { setTimeout as timer } from 'node:timers/promises';

/**
 * The only places that listen for an abort, or race a promise with a timer. After a wait, no listener
 * and no timer of it is left.
 */

/**
 * Calls `act` when the signal aborts, at once where it is aborted already.
 *
 * @returns stops listening
 */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    act();
    return () => undefined;
  }
  // Node warns of a leak from the eleventh listener on. A signal of a page has one for each of its documents,
  // and each of them is removed.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}

/** The result of `work`. Rejects with the signal's reason where that comes first; `work` itself continues. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = onAbort(signal, () => reject(signal.reason as Error));
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    stop();
  }
}

/**
 * Calls `end` when the time is over. A busy process runs late timers before it reads its sockets, and what is
 * awaited may have arrived: so the sockets are read once more before.
 *
 * @returns stops the time
 */
export function onTimeout(ms: number, end: () => void): () => void {
  let lastTurn: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => (lastTurn = setImmediate(end)), ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(lastTurn);
  };
}

/**
 * The result of `work`, or undefined where it takes longer than `timeoutMs`; `work` itself continues. Rejects
 * with the signal's reason where that comes first.
 */
export async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  let stop: () => void = () => undefined;
  const timeout = new Promise<undefined>((resolve) => {
    stop = onTimeout(timeoutMs, () => resolve(undefined));
  });
  try {
    return await unlessAborted(Promise.race([work, timeout]), signal);
  } finally {
    stop();
  }
}

/**
 * Waits. Rejects with the signal's reason as soon as it aborts.
 *
 * @param ref `false`: the process may end before the time is over. Default: true
 */
export async function sleep(ms: number, signal?: AbortSignal, { ref = true } = {}): Promise<void> {
  if (signal !== undefined) setMaxListeners(0, signal);
  // Node's own rejection says only that something was aborted.
  await timer(ms, undefined, { ref, ...(signal && { signal }) }).catch(() => signal?.throwIfAborted());
}

/**
 * Waits until somebody calls a callback, such as a queue when a place is free. Resolves with the value of the
 * call. Rejects with the signal's reason as soon as it aborts.
 *
 * @param expect registers the callback, and returns a function that removes it. The callback is removed in
 *   the same tick as the abort: a place that is given to a caller who no longer waits would be lost
 */
export function untilCalled<T = void>(
  expect: (call: (value: T) => void) => () => void,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let takeAway: () => void = () => undefined;
    const stop = onAbort(signal, () => {
      takeAway();
      reject(signal?.reason as Error);
    });
    takeAway = expect((value) => {
      stop();
      resolve(value);
    });
  });
}
