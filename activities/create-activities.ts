import { Context } from '@temporalio/activity';
import { ApplicationFailure, type ApplicationFailureOptions, CancelledFailure } from '@temporalio/common';
import type { Activities, HeartbeatDetails } from '../contract/activities';
import { APPROVAL_SIGNAL, type ApprovalNotice } from '../contract/control';
import { ensureError, isRetryable, remedyFor, RepublishError } from '../contract/failures';
import { ApprovalNotices } from './approval-notices';
import { askSigner } from './ask-signer';
import { checkSigner } from './check-signer';
import { Departures } from './departures';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { followRun } from './fleet/follow-run';
import { loadOperators } from './fleet/load-operators';
import { persistFleetAudit } from './fleet/persist-fleet-audit';
import { planFleet } from './fleet/plan-fleet';
import { recordOperators } from './fleet/record-operators';
import { speakToRuns } from './fleet/speak-to-runs';
import { loadMachines } from './load-machines';
import { nextDocuments } from './next-documents';
import { noteFailures } from './note-failures';
import { persistAudit } from './persist-audit';
import { planAgain } from './plan-again';
import { republishDocument } from './republish-document';
import { skipDocuments } from './skip-documents';
import { takeInHand, type WorkInHand, workInHand } from './work-in-hand';

/** What the workflow demands of the activities whose bound is not configured. */
const FIXED_HEARTBEAT_TIMEOUT_MS = 15_000;

/** The activities of a worker. Each is a function of its dependencies, its input and its call; this adds what Temporal needs. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  const notices = new ApprovalNotices();
  const departures = new Departures();
  const asActivity =
    <Input, Result>(
      name: string,
      work: (dependencies: ActivityDependencies, input: Input, call: ActivityCall) => Promise<Result>,
    ) =>
    async (input: Input): Promise<Result> => {
      const context = Context.current();
      // Heartbeats carry the cancellation to us and let the server notice a lost worker.
      const signal = context.cancellationSignal;
      // What an earlier attempt has found out, as far as it could tell the server.
      takeInHand(context, context.info.heartbeatDetails);
      takeInHand(context, input);
      let waitsAt: string | undefined;
      const show = (): void => {
        const { document } = workInHand(context);
        const details: HeartbeatDetails = {
          ...(waitsAt === undefined ? {} : { approvalUrl: waitsAt }),
          ...(document === undefined ? {} : { document }),
        };
        context.heartbeat(details);
      };
      const beat = setInterval(
        show,
        Math.min(dependencies.limits.heartbeatTimeoutMs, FIXED_HEARTBEAT_TIMEOUT_MS) / 4,
      );
      const { workflowId = '', runId = '' } = context.info.workflowExecution ?? {};
      const onApproval = (approvalUrl: string | undefined): void => {
        const { document } = workInHand(context);
        const of =
          document !== undefined && 'machineId' in document
            ? `${document.documentType}/${document.machineId}`
            : name;
        if (waitsAt !== undefined) tellRun(context, notices.closed(runId, of, waitsAt));
        waitsAt = approvalUrl;
        show();
        if (waitsAt !== undefined) tellRun(context, notices.opened(runId, of, waitsAt));
      };
      const departure = name === 'republishDocument' ? departures.enter(runId) : undefined;
      try {
        const result = await work(dependencies, input, {
          workflowId,
          attempt: context.info.attempt,
          signal,
          signerCall: { signal, onApproval },
          onDocument: (row) => takeInHand(context, row),
        });
        await departure?.together(signal);
        return result;
      } catch (thrown) {
        // A missing right or table is mended by a person; the audit waits for that, since nothing else keeps the outcome.
        const always = name.startsWith('persist');
        const inHand = workInHand(context);
        throw asFailure(ensureError(thrown), inHand.document, context.cancellationSignal, always, (error) =>
          dependencies.onUnexpected(name, error, { workflowId, runId, ...inHand.document }),
        );
      } finally {
        departure?.left();
        clearInterval(beat);
        if (waitsAt !== undefined) onApproval(undefined);
      }
    };

  return {
    checkSigner: asActivity('checkSigner', checkSigner),
    loadMachines: asActivity('loadMachines', loadMachines),
    nextDocuments: asActivity('nextDocuments', nextDocuments),
    askSigner: asActivity('askSigner', askSigner),
    republishDocument: asActivity('republishDocument', republishDocument),
    persistAudit: asActivity('persistAudit', persistAudit),
    planAgain: asActivity('planAgain', planAgain),
    skipDocuments: asActivity('skipDocuments', skipDocuments),
    noteFailures: asActivity('noteFailures', noteFailures),
    planFleet: asActivity('planFleet', planFleet),
    loadOperators: asActivity('loadOperators', loadOperators),
    recordOperators: asActivity('recordOperators', recordOperators),
    persistFleetAudit: asActivity('persistFleetAudit', persistFleetAudit),
    followRun: asActivity('followRun', (_, input, { signal }) =>
      followRun(Context.current().client, input, signal),
    ),
    speakToRuns: asActivity('speakToRuns', (_, input, { signal }) =>
      speakToRuns(Context.current().client, input, signal),
    ),
    // Not a matter of the house: a workflow cannot cancel itself, so it has itself cancelled from outside.
    requestCancellation: async () => {
      const { workflowExecution } = Context.current().info;
      if (workflowExecution === undefined) return;
      const { workflowId, runId } = workflowExecution;
      await Context.current().client.workflow.getHandle(workflowId, runId).cancel();
    },
  };
}

/**
 * For the workflow's current details. Only a display: a signal that does not arrive must not hold up the document, and the
 * heartbeat shows the page too.
 */
function tellRun(context: Context, notice: ApprovalNotice | undefined): void {
  const execution = context.info.workflowExecution;
  if (notice === undefined || execution === undefined) return;
  const tell = async (): Promise<void> =>
    context.client.workflow.getHandle(execution.workflowId, execution.runId).signal(APPROVAL_SIGNAL, notice);
  tell().catch(() => undefined);
}

/** The stack would only ever name this file, and put the host's paths into every history. */
function withoutStack(options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create(options);
  failure.stack = `${failure.name}: ${failure.message}`;
  return failure;
}

/**
 * What Temporal is told. The message is for people and ends with the remedy; `details` holds the bare reason and which
 * document it is, for whoever looks at what is being retried. The original error is not attached: its fields and its stack may hold what must not enter history.
 */
function asFailure(
  error: Error,
  document: WorkInHand['document'],
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
      ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: error.retryAfterMs }),
      details: [error.message, ...(document ? [document] : [])],
    });
  }
  onUnexpected(error);
  const reason = `an unexpected ${error.name}`;
  return withoutStack({
    type: 'Unexpected',
    message: `${reason}. ${remedyFor('Unexpected')}`,
    details: [reason, ...(document ? [document] : [])],
  });
}
