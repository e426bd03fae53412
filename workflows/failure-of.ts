import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { type Failure, isFailureType, reasonIn, remedyFor, type Subject } from '../contract/failures';
import { forOperator } from '../rules/shell';

/** The failure behind an error that an activity call threw. */
export function failureOf(error: unknown): Failure {
  // The cause of a timeout is the failure of the last attempt, which has more information than the timeout.
  const chain: unknown[] = [];
  for (let link = error; link instanceof Error && chain.length < 10; link = link.cause) chain.push(link);
  const named = chain.find((link) => link instanceof ApplicationFailure && isFailureType(link.type));
  if (named instanceof ApplicationFailure && isFailureType(named.type)) {
    return { type: named.type, message: reasonIn(named.details) ?? named.message };
  }
  const timeout = chain.find((link) => link instanceof TimeoutFailure);
  if (timeout instanceof TimeoutFailure) {
    return { type: 'ActivityTimeout', message: `the step ran into its ${timeout.timeoutType} timeout` };
  }
  const activity = chain.find((link) => link instanceof ActivityFailure);
  const what = activity instanceof ActivityFailure ? ` in ${activity.activityType}` : '';
  return { type: 'Unexpected', message: `an unexpected failure${what}` };
}

/**
 * The failure with which a workflow ends. The message ends with the remedy, for people who read Temporal's
 * UI; the details hold the bare reason (ReasonDetail) and other values for programs.
 *
 * @param operatorUserId for whom the remedy names its commands; absent: for anybody
 */
export function asEnd(
  { type, message: reason }: Failure,
  { operatorUserId, subject, details }: { operatorUserId?: string; subject?: Subject; details?: object } = {},
): ApplicationFailure {
  const remedy = forOperator(remedyFor(type, subject), operatorUserId);
  return ApplicationFailure.nonRetryable(`${reason}. ${remedy}`, type, { ...details, reason });
}

/** @throws ApplicationFailure InvalidInput where an input has problems: such a run has no audit row */
export function requireValid(problems: string[]): void {
  if (problems.length > 0) throw asEnd({ type: 'InvalidInput', message: problems.join('; ') });
}
