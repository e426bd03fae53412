/**
 * Workers in the test process run workflows in the main thread. A separate thread loads the SDK again: half a
 * second of CPU for each of a hundred workers. Workers in processes of their own have the thread, as in
 * production. The variable is removed at the end of the test file (one-realm.cjs).
 */
export function runWorkflowsInThisThread(): void {
  process.env.TEMPORAL_DEBUG = '1';
}
