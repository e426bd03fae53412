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

/**
 * Search attributes of a run, all of type Keyword. A namespace that does not know them does without: see `republish doctor`.
 */
export const SEARCH_ATTRIBUTES = {
  /** `accounts.id` of the operator. */
  operator: 'RepublishOperator',
  /** The operator's current public key, hex. */
  pubkey: 'RepublishPubkey',
  /** How the run ended: complete, incomplete, failed or cancelled. Absent while it goes on. */
  outcome: 'RepublishOutcome',
} as const;

/** One workflow id per operator, so that Temporal itself refuses two runs at the same time. */
export function workflowIdFor(operatorUserId: string): string {
  return `republish-operator-configs/${operatorUserId}`;
}
