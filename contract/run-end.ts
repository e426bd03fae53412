import { FAILURES, isFailureType } from './failures';
import type { OperatorEnd } from './fleet';

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
  const { name = '', message = '', type } = (cause ?? {}) as Partial<Error> & { type?: unknown };
  const told = message.slice(0, MAX_MESSAGE_LENGTH).replace(/\p{Surrogate}/gu, '\ufffd');
  if (name === 'CancelledFailure')
    return { outcome: 'cancelled', failure: { type: 'Cancelled', message: told || 'the run was cancelled' } };
  if (name === 'TerminatedFailure')
    return { outcome: 'failed', failure: { type: 'Terminated', message: 'the run was terminated' } };
  if (name !== 'ApplicationFailure' || !isFailureType(type))
    return { outcome: 'failed', failure: { type: 'Unexpected', message: FAILURES.Unexpected.meaning } };
  return {
    outcome: type === 'RepublishIncomplete' ? 'incomplete' : 'failed',
    failure: { type, message: told },
  };
}
