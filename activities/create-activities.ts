import { Context } from '@temporalio/activity';
import { ApplicationFailure, type ApplicationFailureOptions, CancelledFailure } from '@temporalio/common';
import type { Activities } from '../contract/activities';
import { ensureError, isRetryable, type ReasonDetail, remedyFor, RepublishError } from '../contract/failures';
import { operatorOf } from '../contract/names';
import { forOperator } from '../rules/shell';
import { ApprovalNotices } from './approval-notices';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { Display } from './display';
import { followRun } from './fleet/follow-run';
import { loadOperators } from './fleet/load-operators';
import { persistFleetAudit } from './fleet/persist-fleet-audit';
import { planFleet } from './fleet/plan-fleet';
import { recordOperators } from './fleet/record-operators';
import { speakToRuns } from './fleet/speak-to-runs';
import { loadMachines } from './load-machines';
import { persistAudit } from './persist-audit';
import { proveSigner } from './prove-signer';
import { readLedger } from './read-ledger';
import { republishDocuments } from './republish-documents';
import { retryDocuments } from './retry-documents';
import { settlePage } from './settle-page';
import { skipDocuments } from './skip-documents';
import { Probes } from './steps/probes';
import { sweep } from './sweep/sweep';
import { takeInHand, workInHand } from './work-in-hand';

/** `HEARTBEAT` in workflows/activity-calls.ts: for the activities whose timeout is not configured. */
const FIXED_HEARTBEAT_TIMEOUT_MS = 15_000;

/**
 * The activities of a worker. Each is a function of its dependencies, its input and its call. This adds what
 * Temporal needs: heartbeats, cancellation, failures.
 */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const notices = new ApprovalNotices();
  const probes = new Probes(dependencies.fingerprintKey);
  const asActivity =
    <Input, Result>(
      name: string,
      work: (dependencies: ActivityDependencies, input: Input, call: ActivityCall) => Promise<Result>,
    ) =>
    async (input: Input): Promise<Result> => {
      const context = Context.current();
      takeInHand(context, input);
      const display = new Display(context, notices);
      const { heartbeatTimeoutMs } = dependencies.limits;
      const beat = setInterval(
        () => display.show(),
        Math.min(heartbeatTimeoutMs, FIXED_HEARTBEAT_TIMEOUT_MS) / 4,
      );
      const { workflowId = '', runId = '' } = context.info.workflowExecution ?? {};
      try {
        return await work(dependencies, input, {
          workflowId,
          attempt: context.info.attempt,
          scheduledAtMs: context.info.scheduledTimestampMs,
          // Heartbeats carry the cancellation to us and let the server notice a lost worker.
          signal: context.cancellationSignal,
          approvalListener: () => display.approvalListener(),
          takeInHand: (named) => takeInHand(context, named),
          show: (details) => display.showAlso(details),
        });
      } catch (thrown) {
        // A person corrects a missing right or table. The audit waits for that, since nothing else keeps the
        // outcome.
        const always = name.startsWith('persist');
        const call = { signal: context.cancellationSignal, operator: operatorOf(workflowId), always };
        throw asFailure(ensureError(thrown), call, (error) =>
          dependencies.onUnexpected(name, error, { workflowId, runId, ...workInHand(context) }),
        );
      } finally {
        clearInterval(beat);
        display.end();
      }
    };

  return {
    loadMachines: asActivity('loadMachines', loadMachines),
    proveSigner: asActivity('proveSigner', (deps, input, call) => proveSigner(deps, input, call, probes)),
    republishDocuments: asActivity('republishDocuments', republishDocuments),
    settlePage: asActivity('settlePage', settlePage),
    readLedger: asActivity('readLedger', readLedger),
    retryDocuments: asActivity('retryDocuments', retryDocuments),
    skipDocuments: asActivity('skipDocuments', skipDocuments),
    sweep: asActivity('sweep', sweep),
    persistAudit: asActivity('persistAudit', persistAudit),
    planFleet: asActivity('planFleet', planFleet),
    loadOperators: asActivity('loadOperators', loadOperators),
    recordOperators: asActivity('recordOperators', recordOperators),
    persistFleetAudit: asActivity('persistFleetAudit', persistFleetAudit),
    followRun: asActivity('followRun', (_, input, call) => followRun(Context.current().client, input, call)),
    speakToRuns: asActivity('speakToRuns', (_, input, { signal }) => {
      const { client, info } = Context.current();
      const updateId = `${info.workflowExecution?.runId}:${info.activityId}`;
      return speakToRuns(client, input, { updateId, signal });
    }),
    // A workflow cannot cancel itself, so it asks this activity to cancel it from outside.
    requestCancellation: async () => {
      const { workflowExecution } = Context.current().info;
      if (workflowExecution === undefined) return;
      const { workflowId, runId } = workflowExecution;
      await Context.current().client.workflow.getHandle(workflowId, runId).cancel();
    },
  };
}

/** The stack would only name this file, and would put paths of the host into every history. */
function withoutStack(options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create(options);
  failure.stack = `${failure.name}: ${failure.message}`;
  return failure;
}

/**
 * Makes the failure that Temporal gets. The message is for people and ends with the remedy. `details` holds
 * the reason without the remedy (ReasonDetail), for programs. The original error is not attached: its fields
 * and its stack may hold what must not enter history.
 */
function asFailure(
  error: Error,
  { signal, operator, always }: { signal: AbortSignal; operator: string | undefined; always: boolean },
  onUnexpected: (error: Error) => void,
): Error {
  if (error instanceof CancelledFailure) return error;
  // A wait that a signal aborts is rejected with the reason of that signal.
  if (signal.aborted && (error === signal.reason || error.name === 'AbortError')) {
    return signal.reason instanceof Error ? signal.reason : new CancelledFailure('cancelled');
  }
  if (error instanceof RepublishError) {
    return withoutStack({
      type: error.type,
      message: `${error.message}. ${forOperator(error.remedy, operator)}`,
      nonRetryable: !always && !isRetryable(error.type),
      ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: error.retryAfterMs }),
      details: [{ reason: error.message } satisfies ReasonDetail],
    });
  }
  onUnexpected(error);
  const reason = `an unexpected ${error.name}`;
  return withoutStack({
    type: 'Unexpected',
    message: `${reason}. ${remedyFor('Unexpected')}`,
    details: [{ reason } satisfies ReasonDetail],
  });
}
