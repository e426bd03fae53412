import {
  type Failure,
  type FailureType,
  isFailureType,
  meaningOf,
  reasonIn,
  type Subject,
  traitsOf,
} from '../contract/failures';
import type { FleetSummary, OperatorEnd } from '../contract/fleet';
import type { RunOutcome } from '../contract/progress';
import { storable } from '../contract/free-text';
import { cut } from './cut';
import { countIncomplete } from './how-far';

/** What is known of a run (or fleet) that Temporal has as failed. */
export interface RunFailure extends Failure {
  /** Words of an error that is not ours. They may hold anything, so they enter neither history nor audit. */
  foreign?: string;
  /** First detail of the failure with which the workflow ended: values for programs. */
  details?: unknown;
}

/** Failures of the SDK that only say where another failure happened. */
const WRAPPERS = ['ChildWorkflowFailure', 'WorkflowFailedError', 'ActivityFailure'];

/**
 * What a failed run is, from the failure that Temporal hands over: to the parent workflow under a
 * ChildWorkflowFailure, to a client under a WorkflowFailedError. By name, since this room knows no SDK.
 * examples/python follows the same rule, and test/vectors/run-failures.json holds both to it.
 */
export function failureOfRun(thrown: unknown, subject: Subject = 'run'): RunFailure {
  let cause = thrown;
  let isOfActivity = false;
  while (cause instanceof Error && WRAPPERS.includes(cause.name) && cause.cause !== undefined) {
    isOfActivity ||= cause.name === 'ActivityFailure';
    cause = cause.cause;
  }
  const { name, message, type, details } = (cause ?? {}) as Partial<Error> & {
    type?: unknown;
    details?: unknown[];
  };
  switch (name) {
    case 'CancelledFailure':
      return { type: 'Cancelled', message: `the ${subject} was cancelled` };
    case 'TerminatedFailure':
      // The message is the reason of the person who terminated it.
      return { type: 'Terminated', message: `the ${subject} was terminated${message ? `: ${message}` : ''}` };
    case 'TimeoutFailure':
      return isOfActivity
        ? { type: 'ActivityTimeout', message: 'a step did not end within its time limit' }
        : { type: 'TimedOut', message: `the ${subject} did not end within the time it was given` };
    case 'ApplicationFailure':
      if (isFailureType(type))
        return { type, message: reasonIn(details) ?? message ?? '', details: details?.[0] };
  }
  const foreign = typeof cause === 'string' ? cause : message;
  return {
    type: 'Unexpected',
    message: meaningOf('Unexpected'),
    ...(foreign ? { foreign } : {}),
    ...(details?.[0] === undefined ? {} : { details: details[0] }),
  };
}

/** How an operator's run ended, for the audit of a fleet. */
export function endOfFailedRun(thrown: unknown): Pick<OperatorEnd, 'outcome' | 'failure'> {
  const { type, message } = failureOfRun(thrown);
  return {
    outcome: outcomeOfFailure(type),
    failure: { type, message: storable(cut(message)) },
  };
}

/** How a run ended that Temporal has as failed. */
export function outcomeOfFailure(type: FailureType): RunOutcome {
  // All documents stand; only their ids did not fit into the result.
  if (type === 'ResultTooLarge') return 'complete';
  return traitsOf(type).runOutcome ?? 'failed';
}

/** How a fleet ended, in its audit and in its search attribute. */
export function outcomeOfFleet(
  operators: FleetSummary['operators'],
  { failure, cancelled }: { failure?: Failure | undefined; cancelled: boolean },
): RunOutcome {
  if (failure !== undefined) return 'failed';
  if (cancelled) return 'cancelled';
  return countIncomplete(operators) > 0 ? 'incomplete' : 'complete';
}
