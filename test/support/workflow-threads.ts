/**
 * Workers of this process run workflows in its own thread. A thread for them loads the SDK once more: half a
 * second of CPU for each worker, a hundred times. Workers in a process of their own have the thread, as in
 * production. What a test file sets in the environment is taken away behind it.
 */
export function runWorkflowsInThisThread(): void {
  process.env.TEMPORAL_DEBUG = '1';
}
