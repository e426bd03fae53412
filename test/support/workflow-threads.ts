import { promiseHooks } from 'node:v8';

const { createHook } = promiseHooks;

/**
 * Workers in the test process run workflows in the main thread. A separate thread loads the SDK again: half a
 * second of CPU for each of a hundred workers. Workers in processes of their own have the thread, as in
 * production. The variable is removed at the end of the test file (one-realm.cjs).
 */
export function runWorkflowsInThisThread(): void {
  process.env.TEMPORAL_DEBUG = '1';
  // The SDK's hook asks of each promise, by a function that it compiles, to which workflow it belongs. In this
  // thread that would be each promise of the tests too. Those of workflows are of another realm.
  promiseHooks.createHook = ({ init, settled, ...others }) =>
    createHook({
      ...others,
      ...(init && { init: (promise, parent) => void (promise instanceof Promise || init(promise, parent)) }),
      ...(settled && { settled: (promise) => void (promise instanceof Promise || settled(promise)) }),
    });
}
