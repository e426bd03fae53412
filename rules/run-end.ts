import { type FailureType, isFailureType, meaningOf, reasonIn, traitsOf } from '../contract/failures';
import type { OperatorEnd } from '../contract/fleet';
import type { RunOutcome } from '../contract/progress';
import { storable } from '../contract/free-text';

const MAX_MESSAGE_LENGTH = 300;

/**
 * How an operator's run ended, from the failure that Temporal hands over: to the parent workflow under a
 * ChildWorkflowFailure, to a client under a WorkflowFailedError. By name, since this room knows no SDK.
 */
export function endOfFailedRun(thrown: unknown): Pick<OperatorEnd, 'outcome' | 'failure'> {
  let cause = thrown;
  const wrappers = ['ChildWorkflowFailure', 'WorkflowFailedError', 'ActivityFailure'];
  while (cause instanceof Error && wrappers.includes(cause.name) && cause.cause !== undefined)
    cause = cause.cause;
  const { name, message, type, details } = (cause ?? {}) as Partial<Error> & {
    type?: unknown;
    details?: unknown[];
  };
  if (name === 'CancelledFailure') return endedBy('Cancelled', message || 'the run was cancelled');
  if (name === 'TerminatedFailure') return endedBy('Terminated', 'the run was terminated');
  if (name !== 'ApplicationFailure' || !isFailureType(type))
    return endedBy('Unexpected', meaningOf('Unexpected'));
  return endedBy(type, reasonIn(details) ?? message ?? '');
}

/** How a run ended that Temporal has as failed. */
export function outcomeOfFailure(type: FailureType): RunOutcome {
  // All documents stand; only their ids did not fit into the result.
  if (type === 'ResultTooLarge') return 'complete';
  return traitsOf(type).runOutcome ?? 'failed';
}

function endedBy(type: FailureType, message: string): Pick<OperatorEnd, 'outcome' | 'failure'> {
  return {
    outcome: outcomeOfFailure(type),
    failure: { type, message: storable(message.slice(0, MAX_MESSAGE_LENGTH)) },
  };
}
