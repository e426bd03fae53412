/**
 * The names a Temporal client in any language needs. They are wire format: changing one breaks running workflows and
 * callers that are not in this repository.
 */

/** Workflow type of the saga for one operator. */
export const WORKFLOW_TYPE = 'republishOperatorConfigs';

/** Task queue that workers poll unless `REPUBLISH_TASK_QUEUE` says otherwise. */
export const DEFAULT_TASK_QUEUE = 'republish-operator-configs';

/** Query that returns a {@link Progress}. */
export const PROGRESS_QUERY = 'progress';

/** One workflow id per operator, so that Temporal itself refuses two runs at the same time. */
export function workflowIdFor(operatorUserId: string): string {
  return `republish-operator-configs/${operatorUserId}`;
}
