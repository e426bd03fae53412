import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { OpenedRun, PersistAuditResult } from '../contract/activities';
import type { Failure } from '../contract/failures';
import type { RepublishInput, RepublishResult } from '../contract/input';
import { normalisedInput, problemsOfInput } from '../rules/input';
import { documentOf } from '../rules/machine-name';
import { SEARCH_ATTRIBUTES } from '../contract/names';
import type { RunOutcome } from '../contract/progress';
import { notAttemptedLine, tellFailures } from '../rules/told-failures';
import { persistAudit, runId } from './activity-calls';
import type { CarriedOver } from './carried-over';
import { unpackEvents } from './event-ids';
import { asEnd, failureOf, requireValid } from './failure-of';
import { Run } from './run';

/**
 * The workflow for one operator: load the machines, prove the signer, republish the documents page by page,
 * read all of them back, write the audit. `rules/pages.ts` decides what comes next.
 *
 * It has no compensation: a published event cannot be taken back, and the old documents still stand under the
 * old key. So it finishes what it can, and names the rest in the audit and in the failure. A second run does
 * only what is missing.
 *
 * A run with many documents is a chain of executions: each continues as new before its history grows large.
 *
 * @param handedOver from the previous execution; callers leave it out
 * @returns event ids by document type, one key for each requested type
 * @throws ApplicationFailure RepublishIncomplete (details: `{ published, failures, failed }`), or the failure
 *   type of the step that ended the run before its documents
 */
export async function republishOperatorConfigs(
  input: RepublishInput,
  handedOver?: CarriedOver,
): Promise<RepublishResult> {
  requireValid(problemsOfInput(input));
  const request = normalisedInput(input);
  const { operatorUserId } = request;
  // A caller cannot pass `handedOver`: only a continued execution has one.
  const carried = workflowInfo().continuedFromExecutionRunId === undefined ? undefined : handedOver;
  const onOpened = (opened: OpenedRun): void =>
    makeSearchable(opened, { operator: operatorUserId, pubkey: opened.operatorPubkey });
  const run = new Run(request, onOpened, carried);

  const how = await run.work();
  if (how === 'hand over') await continueAsNew<typeof republishOperatorConfigs>(request, run.carriedOver);
  run.beginAudit();
  const isCancelled = CancellationScope.current().consideredCancelled;
  const audit = await writeAudit(run, request, isCancelled);
  const failure = run.pages.endedBy ?? audit.failure;
  run.end(audit);
  makeSearchable(run.opened, { outcome: outcomeOf(failure, isCancelled, audit) });

  const events = unpackEvents(audit.packedEvents);
  const details = { published: events, failures: audit.failures, failed: audit.failed };
  if (failure !== undefined) throw asEnd(failure, { operatorUserId, details });
  if (isCancelled) throw new CancelledFailure('the run was cancelled; the audit row shows what was done');
  if (audit.failed > 0) {
    const message = whatIsMissing(audit, run.pages.blocked);
    throw asEnd({ type: 'RepublishIncomplete', message }, { operatorUserId, details });
  }
  if (audit.eventsLeftOut !== undefined) {
    const message = `${audit.eventsLeftOut} documents stand; their ids do not fit into a result`;
    throw asEnd({ type: 'ResultTooLarge', message }, { operatorUserId });
  }
  return events;
}

function writeAudit(run: Run, request: RepublishInput, cancelled: boolean): Promise<PersistAuditResult> {
  const { opened, planned } = run;
  const { endedBy, blocked, isSwept } = run.pages;
  const { interventions } = run.control;
  return CancellationScope.nonCancellable(() =>
    persistAudit({
      runId: runId(),
      workflowId: workflowInfo().workflowId,
      request,
      ...(opened === undefined ? {} : { operatorPubkey: opened.operatorPubkey }),
      documentTypes: opened?.documentTypes ?? request.documentTypes ?? [],
      cancelled,
      ...(endedBy === undefined ? {} : { failure: endedBy }),
      ...(blocked === undefined ? {} : { cause: blocked }),
      ...(interventions.length === 0 ? {} : { interventions }),
      ...(planned === undefined ? {} : { planned }),
      ...(isSwept && !cancelled ? { swept: true as const } : {}),
    }),
  ).catch((error: unknown) => {
    // The failure that ended the run must stay visible.
    const audit = failureOf(error);
    const note = `the audit row could not be written (${audit.type}: ${audit.message}); the ledger has every document of the run`;
    const message = endedBy ? `${endedBy.message}; ${note}` : note;
    throw asEnd({ type: (endedBy ?? audit).type, message }, request);
  });
}

function whatIsMissing(audit: PersistAuditResult, cause: Failure | undefined): string {
  const { failed } = audit;
  const { reasons, notAttempted, unnamed } = tellFailures(audit, { cause });
  const documents = reasons.flatMap(({ documents }) => documents);
  const named = documents
    .slice(0, 5)
    .map(({ type, message, ...document }) => `${documentOf(document)}: ${type}: ${message}`);
  const more = documents.length - named.length + unnamed;
  const told = [
    ...named,
    ...(notAttempted > 0 ? [notAttemptedLine(notAttempted)] : []),
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join('; ');
  return `${failed} document${failed === 1 ? '' : 's'} could not be republished (${told})`;
}

/**
 * `opened.searchAttributes`: an activity asked whether the namespace knows them. Without, the task would
 * fail.
 */
function makeSearchable(
  opened: OpenedRun | undefined,
  values: Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string>>,
): void {
  if (opened?.searchAttributes !== true) return;
  upsertSearchAttributes(
    Object.entries(values).map(([key, value]) => ({
      key: { name: SEARCH_ATTRIBUTES[key as keyof typeof SEARCH_ATTRIBUTES], type: 'KEYWORD' as const },
      value,
    })),
  );
}

function outcomeOf(
  failure: Failure | undefined,
  isCancelled: boolean,
  { failed }: PersistAuditResult,
): RunOutcome {
  if (failure !== undefined) return 'failed';
  if (isCancelled) return 'cancelled';
  return failed > 0 ? 'incomplete' : 'complete';
}
