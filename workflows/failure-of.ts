import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { type Failure, isFailureType, remedyFor } from '../contract/failures';

/** The failure behind an error that an activity call threw. */
export function failureOf(error: unknown): Failure {
  // The cause of a timeout is the failure of the last attempt, which tells more than the timeout.
  const chain: unknown[] = [];
  for (let link = error; link instanceof Error && chain.length < 10; link = link.cause) chain.push(link);
  const named = chain.find((link) => link instanceof ApplicationFailure && isFailureType(link.type));
  if (named instanceof ApplicationFailure && isFailureType(named.type)) {
    const [reason] = (named.details ?? []) as unknown[];
    return { type: named.type, message: typeof reason === 'string' ? reason : named.message };
  }
  const timeout = chain.find((link) => link instanceof TimeoutFailure);
  if (timeout instanceof TimeoutFailure) {
    return { type: 'ActivityTimeout', message: `the step ran into its ${timeout.timeoutType} timeout` };
  }
  const activity = chain.find((link) => link instanceof ActivityFailure);
  const what = activity instanceof ActivityFailure ? ` in ${activity.activityType}` : '';
  return { type: 'Unexpected', message: `an unexpected failure${what}` };
}

/** @throws ApplicationFailure InvalidInput where an input has problems: such a run has no audit row */
export function requireValid(problems: string[]): void {
  if (problems.length === 0) return;
  throw ApplicationFailure.nonRetryable(
    `${problems.join('; ')}. ${remedyFor('InvalidInput')}`,
    'InvalidInput',
  );
}
