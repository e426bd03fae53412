/**
 * The names a Temporal client in any language needs. They are wire format: changing one breaks running
 * workflows and callers that are not in this repository.
 */

/** The name of this program for bunkers, relays, Postgres, Temporal and traces. */
export const PACKAGE = 'republish-operator-configs';

/** Workflow type of the saga for one operator. */
export const WORKFLOW_TYPE = 'republishOperatorConfigs';

/** Task queue that workers poll unless `REPUBLISH_TASK_QUEUE` says otherwise. */
export const DEFAULT_TASK_QUEUE = 'republish-operator-configs';

/** Query that returns a {@link Progress}. */
export const PROGRESS_QUERY = 'progress';

/**
 * Search attributes of a run, all of type Keyword. A namespace that does not know them does without: see
 * `republish doctor`.
 */
export const SEARCH_ATTRIBUTES = {
  /** `accounts.id` of the operator. */
  operator: 'RepublishOperator',
  /** The operator's current public key, hex. */
  pubkey: 'RepublishPubkey',
  /** How the run ended: complete, incomplete, failed or cancelled. Absent while it is running. */
  outcome: 'RepublishOutcome',
} as const;

/** In the reason with which `republish end` terminates a run or a fleet in Temporal. */
export const ENDED_BY_COMMAND = '(republish end)';

/** One workflow id per operator, so that Temporal itself refuses two runs at the same time. */
export function workflowIdFor(operatorUserId: string): string {
  return `republish-operator-configs/${operatorUserId}`;
}

/** Whose run a workflow is; undefined: it is no run of an operator. */
export function operatorOf(workflowId: string): string | undefined {
  const prefix = workflowIdFor('');
  return workflowId.startsWith(prefix) ? workflowId.slice(prefix.length) : undefined;
}

/** The server takes at most 64 bytes; one that is longer would let no workflow task of the run through. */
const MAX_FAIRNESS_KEY_BYTES = 64;

/**
 * By which Temporal takes turns between operators where tasks wait for a worker. Two long ids that begin
 * alike share a turn, which does no harm.
 */
export function fairnessKeyOf(operatorUserId: string): string {
  // Each byte of UTF-8 is at least one character of the escaped text.
  return encodeURIComponent(operatorUserId).length <= MAX_FAIRNESS_KEY_BYTES
    ? operatorUserId
    : [...operatorUserId].slice(0, MAX_FAIRNESS_KEY_BYTES / 4).join('');
}
