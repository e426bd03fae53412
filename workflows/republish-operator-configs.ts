import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  isCancellation,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { CheckSignerResult, PersistAuditResult } from '../contract/activities';
import type { Failure } from '../contract/failures';
import { remedyFor } from '../contract/failures';
import {
  normalisedInput,
  problemsOfInput,
  type RepublishInput,
  type RepublishResult,
} from '../contract/input';
import { SEARCH_ATTRIBUTES } from '../contract/names';
import type { RunOutcome } from '../contract/progress';
import { checkSigner, persistAudit } from './activities';
import type { CarriedOver } from './carried-over';
import { unpackEvents } from './event-ids';
import { failureOf, unknownToLedger } from './failure-of';
import { Run, runId } from './run';

/**
 * The saga for one operator: check the signer, load the machines, republish each of their documents, write the audit.
 *
 * Forward only: a published event cannot be taken back and the old documents still stand under the old key, so what can
 * be finished is finished, and the rest is named in the audit and in the failure. A second run does only what is missing.
 *
 * A run with many documents is a chain of executions, each of which hands over to the next before its history grows large.
 *
 * @param handedOver by the execution before this one; not for callers
 * @returns event ids by document type, one key for each requested type
 * @throws ApplicationFailure RepublishIncomplete (details: `{ published, failures, failed }`), or the failure type of the
 *   step that ended the run before its documents
 */
export async function republishOperatorConfigs(
  input: RepublishInput,
  handedOver?: CarriedOver,
): Promise<RepublishResult> {
  const problems = problemsOfInput(input);
  if (problems.length > 0) {
    // No audit row: without a sound input there is no operator to write it for.
    throw ApplicationFailure.nonRetryable(
      `${problems.join('; ')}. ${remedyFor('InvalidInput')}`,
      'InvalidInput',
    );
  }
  const request = normalisedInput(input);
  // Whatever a caller may send besides the input: only an execution of this run can have handed anything over.
  const carried = workflowInfo().continuedFromExecutionRunId === undefined ? undefined : handedOver;
  const run = new Run(request, carried);

  let checked = carried?.checked;
  let next: CarriedOver | undefined;
  let failure: Failure | undefined;
  let cancelled: CancelledFailure | undefined;
  try {
    if (checked === undefined) {
      checked = await checkSigner.executeWithOptions({ summary: 'check signer' }, [
        { runId: runId(), request },
      ]);
      makeSearchable(checked, {
        operator: request.operatorUserId,
        pubkey: checked.operatorPubkey,
      });
    }
    next = await run.republishAll(checked);
  } catch (error) {
    if (isCancellation(error))
      cancelled = new CancelledFailure('the run was cancelled; the audit tells what was done');
    else failure = failureOf(error);
  }
  if (CancellationScope.current().consideredCancelled) {
    cancelled ??= new CancelledFailure('the run was cancelled; the audit tells what was done');
  }
  if (next !== undefined && cancelled === undefined)
    await continueAsNew<typeof republishOperatorConfigs>(request, next);

  run.enter('writing audit');
  const written = await CancellationScope.nonCancellable(async () => {
    await run.control.untilIdle();
    const { interventions } = run.control;
    return persistAudit({
      runId: runId(),
      workflowId: workflowInfo().workflowId,
      request,
      ...(checked === undefined ? {} : { operatorPubkey: checked.operatorPubkey }),
      documentTypes: checked?.documentTypes ?? request.documentTypes ?? [],
      cancelled: cancelled !== undefined,
      ...(failure === undefined ? {} : { failure }),
      failures: unknownToLedger(run.queue.failures()),
      ...(interventions.length === 0 ? {} : { interventions }),
      ...run.auditForm,
    });
  }).catch((error: unknown) => {
    throw withoutAudit(failure, failureOf(error));
  });
  const audit: Audit = { ...written, events: written.events ?? unpackEvents(written.packedEvents ?? {}) };
  failure ??= audit.failure;
  run.end(audit);
  makeSearchable(checked, { outcome: outcomeOf(failure, cancelled, audit) });
  if (failure !== undefined) {
    throw ApplicationFailure.nonRetryable(`${failure.message}. ${remedyFor(failure.type)}`, failure.type, {
      published: audit.events,
      failures: audit.failures,
      failed: audit.failed,
    });
  }
  if (cancelled !== undefined) throw cancelled;
  if (audit.failed > 0) throw incomplete(audit);
  if (audit.eventsLeftOut !== undefined) {
    throw ApplicationFailure.nonRetryable(
      `${audit.eventsLeftOut} documents stand; their ids do not fit into a result. ${remedyFor('ResultTooLarge')}`,
      'ResultTooLarge',
    );
  }
  return audit.events;
}

type Audit = PersistAuditResult & { events: RepublishResult };

/** The audit could not be written: what ended the run must not be lost over that. */
function withoutAudit(failure: Failure | undefined, audit: Failure): ApplicationFailure {
  const { type, message } = failure ?? audit;
  const note = `the audit row could not be written (${audit.type}: ${audit.message}); the ledger has every document of the run`;
  return ApplicationFailure.nonRetryable(
    `${failure ? `${message}; ${note}` : note}. ${remedyFor(type)}`,
    type,
  );
}

function incomplete({ events, failures, failed }: Audit): ApplicationFailure {
  const named = failures
    .slice(0, 5)
    .map(
      ({ documentType, machineId, type, message }) =>
        `${documentType} of machine ${machineId}: ${type}: ${message}`,
    );
  const more = failed > named.length ? ` and ${failed - named.length} more` : '';
  return ApplicationFailure.nonRetryable(
    `${failed} document${failed === 1 ? '' : 's'} could not be republished (${named.join('; ')}${more}). ${remedyFor('RepublishIncomplete')}`,
    'RepublishIncomplete',
    { published: events, failures, failed },
  );
}

/** Only where the namespace knows the attributes; it was asked, and the answer is in the history. */
function makeSearchable(
  checked: CheckSignerResult | undefined,
  values: Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string>>,
): void {
  if (checked?.searchAttributes !== true) return;
  upsertSearchAttributes(
    Object.entries(values).map(([key, value]) => ({
      key: { name: SEARCH_ATTRIBUTES[key as keyof typeof SEARCH_ATTRIBUTES], type: 'KEYWORD' as const },
      value,
    })),
  );
}

function outcomeOf(
  failure: Failure | undefined,
  cancelled: CancelledFailure | undefined,
  { failed }: PersistAuditResult,
): RunOutcome {
  if (failure !== undefined) return 'failed';
  if (cancelled !== undefined) return 'cancelled';
  return failed > 0 ? 'incomplete' : 'complete';
}
