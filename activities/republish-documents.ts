import type { PageReference, PageResult } from '../contract/activities';
import { RepublishError } from '../contract/failures';
import { stagesOf } from '../contract/progress';
import { beginPage, pageState } from '../database/ledger/page';
import { endOfPage, sharedCause } from '../rules/page-end';
import { pauseMs } from '../rules/patience';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { MAX_SHOWN } from './display';
import { PageAttempt } from './page/attempt';
import { waitingOf } from './page/shown';

/**
 * Brings the open documents of a page to their outcomes: look, read, judge, seal, sign, send, confirm,
 * settle. Seal, signature and outcome are facts of the ledger before the next step begins. So every attempt
 * ends with the same events, also after a crash of the attempt before.
 *
 * After its turn it begins no further document and returns how the page stands; the workflow gives the page
 * out again. It throws if every open document was tried, and none advanced or a person must act: a pause may
 * help. A cancellation means: yield now. Signed documents are finished.
 *
 * @throws RepublishError with the trouble of the documents, and the pause before the next attempt
 */
export async function republishDocuments(
  deps: ActivityDependencies,
  reference: PageReference,
  call: ActivityCall,
): Promise<PageResult> {
  const begun = await beginPage(deps.database, reference);
  if (begun === undefined) throw notInLedger(reference);
  call.takeInHand(begun);
  const attempt = new PageAttempt(deps, begun, reference, call);
  if (begun.documents.length > 0 && !begun.run.closed)
    await attempt.run((await pageState(deps.database, reference)).counts);
  return resultOf(deps, reference, attempt, call);
}

async function resultOf(
  deps: ActivityDependencies,
  reference: PageReference,
  attempt: PageAttempt,
  call: ActivityCall,
): Promise<PageResult> {
  const { documents, advanced, unproven, facts } = attempt;
  const { documentType } = facts;
  const { counts, failures, waiting: inTrouble, leastTries } = await pageState(deps.database, reference);
  const onlyWaiting = waitingOf(attempt, 'without trouble');
  // A document may have had trouble before. It is shown with what it waits for now.
  const onlyInTrouble = inTrouble.filter(
    ({ machineId }) => !onlyWaiting.some((waiting) => waiting.machineId === machineId),
  );
  const waiting = [...onlyInTrouble, ...onlyWaiting].slice(0, MAX_SHOWN);
  const troubles = documents.flatMap(({ trouble, ended }) => (trouble && !ended ? [trouble] : []));
  const end = {
    begun: documents.length,
    open: counts.open ?? 0,
    advanced,
    untried: documents.filter(({ trouble, ended }) => !trouble && !ended).length,
    failures: troubles,
  };
  // A final failure has ended its document. The page throws only for a passing one.
  const passing = troubles.filter(({ final }) => !final);
  const [first] = passing;
  if (first !== undefined && endOfPage(end) === 'again' && !call.signal.aborted) {
    // Until the next attempt, people see only the last heartbeat.
    call.show(() => ({ page: { page: reference.page, documentType }, stages: stagesOf(counts), waiting }));
    const estimates = passing.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
    const estimateMs = estimates.length === passing.length ? Math.min(...estimates) : undefined;
    throw new RepublishError(
      first.type,
      passing.length === 1 ? first.message : `${passing.length} documents, the first: ${first.message}`,
      { retryAfterMs: pauseMs(deps.patience, leastTries, estimateMs) },
    );
  }
  const cause = sharedCause(end);
  return {
    counts,
    ...(failures.length === 0 ? {} : { failures }),
    ...(waiting.length === 0 ? {} : { waiting }),
    ...(unproven ? { unproven } : {}),
    ...(attempt.stood || (call.attempt > 1 && counts.standing) ? { stood: true } : {}),
    ...(cause === undefined ? {} : { cause: { type: cause.type, message: cause.message } }),
  };
}

function notInLedger({ runId, page }: PageReference): RepublishError {
  return new RepublishError(
    'LedgerIncomplete',
    `the ledger has no page ${page} of the run ${runId}: it was put back to an earlier state`,
  );
}
