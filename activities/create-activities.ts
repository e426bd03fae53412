import { Context } from '@temporalio/activity';
import { ApplicationFailure, type ApplicationFailureOptions, CancelledFailure } from '@temporalio/common';
import type { Activities, HeartbeatDetails } from '../contract/activities';
import { ensureError, isRetryable, remedyFor, RepublishError } from '../contract/failures';
import { askSigner } from './ask-signer';
import { checkSigner } from './check-signer';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { loadMachines } from './load-machines';
import { persistAudit } from './persist-audit';
import { republishDocument } from './republish-document';

/** What the workflow demands of the activities whose bound is not configured. */
const FIXED_HEARTBEAT_TIMEOUT_MS = 15_000;

/** The activities of a worker. Each is a function of its dependencies, its input and its call; this adds what Temporal needs. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const asActivity =
    <Input, Result>(
      name: string,
      work: (dependencies: ActivityDependencies, input: Input, call: ActivityCall) => Promise<Result>,
    ) =>
    async (input: Input): Promise<Result> => {
      const context = Context.current();
      // Heartbeats carry the cancellation to us and let the server notice a lost worker.
      const signal = context.cancellationSignal;
      let waiting: HeartbeatDetails | undefined;
      const beat = setInterval(
        () => context.heartbeat(waiting),
        Math.min(dependencies.limits.heartbeatTimeoutMs, FIXED_HEARTBEAT_TIMEOUT_MS) / 4,
      );
      const onApproval = (approvalUrl: string | undefined): void => {
        waiting = approvalUrl === undefined ? undefined : { approvalUrl };
        context.heartbeat(waiting);
      };
      try {
        const workflowId = context.info.workflowExecution?.workflowId ?? '';
        return await work(dependencies, input, { workflowId, signal, signerCall: { signal, onApproval } });
      } catch (thrown) {
        // A missing right or table is mended by a person; the audit waits for that, since nothing else keeps the outcome.
        const always = name === 'persistAudit';
        throw asFailure(ensureError(thrown), context.cancellationSignal, always, (error) =>
          dependencies.onUnexpected(name, error),
        );
      } finally {
        clearInterval(beat);
      }
    };

  return {
    checkSigner: asActivity('checkSigner', checkSigner),
    loadMachines: asActivity('loadMachines', loadMachines),
    askSigner: asActivity('askSigner', askSigner),
    republishDocument: asActivity('republishDocument', republishDocument),
    persistAudit: asActivity('persistAudit', persistAudit),
  };
}

/** The stack would only ever name this file, and put the host's paths into every history. */
function withoutStack(options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create(options);
  failure.stack = `${failure.name}: ${failure.message}`;
  return failure;
}

/**
 * What Temporal is told. The message is for people and ends with the remedy; `details` holds the bare reason. The
 * original error is not attached: its fields and its stack may hold what must not enter history.
 */
function asFailure(
  error: Error,
  signal: AbortSignal,
  alwaysRetry: boolean,
  onUnexpected: (error: Error) => void,
): Error {
  if (error instanceof CancelledFailure) return error;
  // A signal that aborts rejects whatever waited on it with its own reason.
  if (signal.aborted && (error === signal.reason || error.name === 'AbortError')) {
    return signal.reason instanceof Error ? signal.reason : new CancelledFailure('cancelled');
  }
  if (error instanceof RepublishError) {
    return withoutStack({
      type: error.type,
      message: `${error.message}. ${remedyFor(error.type)}`,
      nonRetryable: !alwaysRetry && !isRetryable(error.type),
      details: [error.message],
    });
  }
  onUnexpected(error);
  const reason = `an unexpected ${error.name}`;
  return withoutStack({
    type: 'Unexpected',
    message: `${reason}. ${remedyFor('Unexpected')}`,
    details: [reason],
  });
}
