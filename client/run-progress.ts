import type { Progress } from '../contract/progress';

/**
 * What `run.progress()` gives: `await` it for the progress as it is now, or go through it with `for await`
 * for each change until the run has ended.
 */
export interface RunProgress extends PromiseLike<Progress>, AsyncIterable<Progress> {
  catch<T>(onRejected: (reason: unknown) => T | PromiseLike<T>): Promise<Progress | T>;
}

/** Nothing is asked before somebody awaits it or goes through it. */
export function runProgress(
  ask: () => Promise<Progress>,
  follow: () => AsyncGenerator<Progress, void, undefined>,
): RunProgress {
  let asked: Promise<Progress> | undefined;
  const once = (): Promise<Progress> => (asked ??= ask());
  return {
    then: (onFulfilled, onRejected) => once().then(onFulfilled, onRejected),
    catch: (onRejected) => once().catch(onRejected),
    [Symbol.asyncIterator]: follow,
  };
}
