import {
  ActivityCancellationType,
  type ActivityInterfaceFor,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
  defineQuery,
} from '@temporalio/workflow';
import type { Activities, CheckSignerResult, PersistAuditResult, RunLimits } from '../contract/activities';
import type { DocumentFailure, Failure, FailureType } from '../contract/failures';
import { remedyFor } from '../contract/failures';
import {
  normalisedInput,
  problemsOfInput,
  type RepublishInput,
  type RepublishResult,
} from '../contract/input';
import { PROGRESS_QUERY } from '../contract/names';
import type { Progress } from '../contract/progress';
import { failureOf } from './failure-of';
import { Tally } from './tally';

/** Reads of the database. A failover takes minutes, and a run that gave up before would have to be started by hand. */
const { checkSigner, loadMachines } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  // A worker that died is noticed within this time; the activities beat at a quarter of it at the latest.
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** One question to the signer: a few tries tell whether it is up. */
const { askSigner } = proxyActivities<ActivityInterfaceFor<Activities>>({
  // Covers a bunker that waits for a person's approval.
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '15 seconds',
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 2,
    maximumInterval: '15 seconds',
    maximumAttempts: 6,
  },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** The audit is what is left of a run: it is tried for a day, through a failover or a full disk. */
const { persistAudit } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '15 seconds',
  scheduleToCloseTimeout: '24 hours',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

/** Failures whose cause is a signer, a relay or a database, and not the document. */
const ALIKE_FOR_ALL: ReadonlySet<FailureType> = new Set([
  'SignerTimeout',
  'SignerUnreachable',
  'SignerApprovalPending',
  'SignerNotConfigured',
  'SignerPubkeyMismatch',
  'SignerUnlockFailed',
  'RelayQuorumNotReached',
  'DatabaseUnavailable',
  'ActivityTimeout',
  'WorkerOutdated',
]);

const progressQuery = defineQuery<Progress>(PROGRESS_QUERY);

/**
 * The saga for one operator: check the signer, load the machines, republish each of their documents, write the audit.
 *
 * Forward only: a published event cannot be taken back and the old documents still stand under the old key, so what can
 * be finished is finished, and the rest is named in the audit and in the failure. A second run does only what is missing.
 *
 * @returns event ids by document type, one key for each requested type
 * @throws ApplicationFailure RepublishIncomplete (details: `{ published, failures, failed }`), or the failure type of the
 *   step that ended the run before its documents
 */
export async function republishOperatorConfigs(input: RepublishInput): Promise<RepublishResult> {
  const problems = problemsOfInput(input);
  if (problems.length > 0) {
    // No audit row: without a sound input there is no operator to write it for.
    throw ApplicationFailure.nonRetryable(
      `${problems.join('; ')}. ${remedyFor('InvalidInput')}`,
      'InvalidInput',
    );
  }
  const request = normalisedInput(input);
  const tally = new Tally();
  setHandler(progressQuery, () => tally.progress(), {
    description:
      'Phase, and how many documents are planned, published, unchanged, superseded, skipped and failed',
  });

  const failures: DocumentFailure[] = [];
  let checked: CheckSignerResult | undefined;
  let failure: Failure | undefined;
  let cancelled: CancelledFailure | undefined;
  try {
    checked = await checkSigner({ runId: runId(), request });
    await republishAll(request, checked, tally, failures);
  } catch (error) {
    if (isCancellation(error))
      cancelled = new CancelledFailure('the run was cancelled; the audit tells what was done');
    else failure = failureOf(error);
  }
  if (CancellationScope.current().consideredCancelled) {
    cancelled ??= new CancelledFailure('the run was cancelled; the audit tells what was done');
  }

  tally.phase = 'writing audit';
  setCurrentDetails(tally.summary());
  const audit = await CancellationScope.nonCancellable(() =>
    persistAudit({
      runId: runId(),
      workflowId: workflowInfo().workflowId,
      request,
      ...(checked === undefined ? {} : { operatorPubkey: checked.operatorPubkey }),
      documentTypes: checked?.documentTypes ?? request.documentTypes ?? [],
      cancelled: cancelled !== undefined,
      ...(failure === undefined ? {} : { failure }),
      failures: unknownToLedger(failures),
    }),
  ).catch((error: unknown) => {
    throw withoutAudit(failure, failureOf(error));
  });
  tally.settle(audit.counts);
  tally.phase = 'done';
  setCurrentDetails(tally.summary());
  if (failure !== undefined) {
    throw ApplicationFailure.nonRetryable(`${failure.message}. ${remedyFor(failure.type)}`, failure.type, {
      published: audit.events,
      failures: audit.failures,
      failed: audit.failed,
    });
  }
  if (cancelled !== undefined) throw cancelled;
  if (audit.failed > 0) throw incomplete(audit);
  return audit.events;
}

/** Plans every page first, so that all bad rows are known before the first signature, then republishes what is left. */
async function republishAll(
  request: RepublishInput,
  { operatorPubkey, documentTypes, limits }: CheckSignerResult,
  tally: Tally,
  failures: DocumentFailure[],
): Promise<void> {
  const { operatorUserId, machineIds } = request;
  const force = request.force === true;
  tally.begin(documentTypes);
  const documents: PlannedDocument[] = [];
  let toSign = 0;
  let after: string | undefined;
  do {
    const page = await loadMachines({
      runId: runId(),
      operatorUserId,
      operatorPubkey,
      documentTypes,
      ...(machineIds === undefined ? {} : { machineIds }),
      force,
      ...(after === undefined ? {} : { after }),
      limit: limits.machinesPerPage,
    });
    tally.addPage(page);
    toSign += page.toSign;
    for (const { machineId, name, documentTypes: types } of page.machines) {
      for (const documentType of types) documents.push({ machineId, name, documentType });
    }
    after = page.next;
  } while (after !== undefined);
  setCurrentDetails(tally.summary());

  // A run that finds everything in place asks nothing of the signer, and so does not need it to be up.
  if (toSign > 0) {
    tally.phase = 'asking signer';
    await askSigner({ operatorUserId, operatorPubkey });
  }
  tally.phase = 'publishing';
  const republish = republishWithin(limits);
  // When a whole window of documents has failed, each after all its attempts, for a reason that the others share, the
  // others would only fail too, for hours: they are left to the next run.
  let failedInARow = 0;
  const isHopeless = (): boolean => failedInARow >= limits.documentsInFlight;
  await inWindow(
    documents,
    limits.documentsInFlight,
    isHopeless,
    async ({ machineId, name, documentType }) => {
      try {
        const { outcome } = await republish.executeWithOptions(
          { summary: `${documentType} -> ${name.slice(0, 60)}` },
          [{ runId: runId(), documentType, machineId, ...(force ? { force: true as const } : {}) }],
        );
        tally.count(documentType, outcome);
        failedInARow = 0;
      } catch (error) {
        if (isCancellation(error)) throw error;
        const failure = failureOf(error);
        failures.push({ documentType, machineId, ...failure });
        tally.count(documentType, 'failed');
        failedInARow = ALIKE_FOR_ALL.has(failure.type) ? failedInARow + 1 : 0;
      }
      setCurrentDetails(tally.summary());
    },
  );
}

interface PlannedDocument {
  machineId: string;
  name: string;
  documentType: string;
}

/**
 * Each document retries by itself, within bounds of its own. Cancelled documents are waited for: an attempt that has its
 * signature is finished by its activity, and the audit must see how it ended. One that waits for its next attempt is not
 * begun again; the next run takes up its signature.
 */
function republishWithin(limits: RunLimits) {
  return proxyActivities<ActivityInterfaceFor<Activities>>({
    startToCloseTimeout: limits.attemptTimeoutMs,
    scheduleToCloseTimeout: limits.documentTimeoutMs,
    heartbeatTimeout: limits.heartbeatTimeoutMs,
    retry: {
      initialInterval: limits.initialRetryIntervalMs,
      backoffCoefficient: 2,
      maximumInterval: limits.maxRetryIntervalMs,
      maximumAttempts: limits.maxAttempts,
    },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }).republishDocument;
}

/**
 * Runs `work` on every item, at most `width` at once: thousands of pending activities at a time would be refused by the
 * server. After a cancellation no new item is begun, and those in work are waited for.
 */
async function inWindow<Item>(
  items: Item[],
  width: number,
  isHopeless: () => boolean,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let cancellation: unknown;
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      if (CancellationScope.current().consideredCancelled || isHopeless()) return;
      try {
        await work(item);
      } catch (error) {
        // Also the other lanes end at their next item; throwing here would leave theirs unobserved.
        cancellation = error;
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (cancellation !== undefined) throw cancellation;
}

/**
 * The failures that no attempt can have written into the ledger itself. Only these are sent: thousands of failures with
 * their messages would outgrow a payload, and the run could then never be audited.
 */
function unknownToLedger(failures: DocumentFailure[]): DocumentFailure[] {
  return failures
    .filter(
      ({ type }) => type === 'ActivityTimeout' || type === 'Unexpected' || type === 'DatabaseUnavailable',
    )
    .slice(0, 500)
    .map((failure) => ({ ...failure, message: failure.message.slice(0, 200) }));
}

/** The audit could not be written: what ended the run must not be lost over that. */
function withoutAudit(failure: Failure | undefined, audit: Failure): ApplicationFailure {
  const { type, message } = failure ?? audit;
  const note = `the audit row could not be written (${audit.type}: ${audit.message}); the ledger has every document of the run`;
  return ApplicationFailure.nonRetryable(
    `${failure ? `${message}; ${note}` : note}. ${remedyFor(type)}`,
    type,
  );
}

function incomplete({ events, failures, failed }: PersistAuditResult): ApplicationFailure {
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

/** The ledger key of the run: it stays across continue-as-new. */
function runId(): string {
  return workflowInfo().firstExecutionRunId;
}
