import type { Intervention } from './control';
import type { Failure } from './failures';
import type { RepublishInput } from './input';
import { DEFAULT_TASK_QUEUE } from './names';
import type { RunOutcome } from './progress';

/** Workflow type of the saga for many operators. */
export const FLEET_WORKFLOW_TYPE = 'republishFleet';

/** One id for a task queue: two fleets at a time would only wait for each other's operators. */
export function fleetWorkflowIdFor(taskQueue: string = DEFAULT_TASK_QUEUE): string {
  return taskQueue === DEFAULT_TASK_QUEUE ? 'republish-fleet' : `republish-fleet/${taskQueue}`;
}

/**
 * Input of the workflow `republishFleet`, as plain JSON so that any Temporal client can send it. Either
 * `operators` or `all`: a key that was forgotten or mistyped must not mean everybody.
 */
export interface FleetInput extends Pick<
  RepublishInput,
  'documentTypes' | 'force' | 'resetCounts' | 'onFailure' | 'reason'
> {
  /** `accounts.id` of each operator, at most 20,000. */
  operators?: string[];
  /**
   * Every operator that the query `queries.operators` names; without such a query every operator with a
   * stored signer.
   */
  all?: boolean;
  /** Operators whose runs are in work at the same time, 1 to 200. Default: 16. */
  operatorsAtOnce?: number;
}

/** Operators by how their run ended. */
export type OperatorCounts = Record<RunOutcome, number>;

/** How the run of one operator ended. */
export interface OperatorEnd {
  operatorUserId: string;
  /** Key of the operator's own audit row; absent where no run could be begun. */
  runId?: string;
  outcome: RunOutcome;
  /** Why it is not complete, at most 300 characters. */
  failure?: Failure;
}

/**
 * Result of the workflow, also where operators failed: one who fails does not stop the others, nor the fleet.
 */
export interface FleetSummary {
  operators: OperatorCounts & {
    notBegun: number;
    /** Operators whose run continued when `republish fleet end` ended the fleet; absent: none. */
    running?: number;
  };
  /** Operators that are not complete, at most 100; the audit has all of them. */
  failures: OperatorEnd[];
}

export type FleetPhase = 'planning' | 'running' | 'writing audit' | 'done';

/** Answer of the query `progress` of a fleet. */
export interface FleetProgress {
  phase: FleetPhase;
  /**
   * True once a cancellation was asked for: runs in work are cancelled and waited for, no new one is begun.
   */
  cancelling: boolean;
  /** Who paused the fleet and why, while it is paused. */
  paused?: Intervention;
  /** Operators of the fleet. */
  planned: number;
  /** Operators whose run has not begun. */
  waiting: number;
  operators: OperatorCounts;
  /** Operators whose runs are in work, at most 20 of `running`. */
  atWork: string[];
  running: number;
  /** Operators that are not complete, at most 50. */
  failures: OperatorEnd[];
}

/** Names of the updates of a fleet, with their descriptions in the Temporal UI. */
export const FLEET_UPDATES = {
  pause: 'Begins no further operator until `resume`, and pauses the runs in work',
  resume: 'Continues after `pause`, with the runs that it paused',
  cancel: 'Cancels the fleet and the runs in work: documents in work are finished, the audits are written',
} as const;

export type FleetUpdateName = keyof typeof FLEET_UPDATES;

/** Answer of the updates. */
export interface FleetControlResult {
  /** How many runs in work have taken it. */
  operators: number;
  /**
   * Operators whose runs did not answer in time; absent: all answered. Such a run may take the control later,
   * or no worker can continue it.
   */
  unanswered?: string[];
}

export const DEFAULT_OPERATORS_AT_ONCE = 16;

export function noOperators(): OperatorCounts {
  return { complete: 0, incomplete: 0, failed: 0, cancelled: 0 };
}
