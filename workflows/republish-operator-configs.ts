import {
  ActivityCancellationType,
  type ActivityInterfaceFor,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
  defineQuery,
} from '@temporalio/workflow';
import type {
  Activities,
  CheckSignerResult,
  PersistAuditResult,
  PlannedMachine,
  RunLimits,
} from '../contract/activities';
import type { DocumentSelection, UpdateName } from '../contract/control';
import type { DocumentFailure, Failure } from '../contract/failures';
import { remedyFor } from '../contract/failures';
import {
  normalisedInput,
  problemsOfInput,
  type RepublishInput,
  type RepublishResult,
} from '../contract/input';
import { PROGRESS_QUERY, SEARCH_ATTRIBUTES } from '../contract/names';
import type { Phase, Progress, RunOutcome } from '../contract/progress';
import { Control, type ControlledRun } from './control';
import { currentDetails } from './current-details';
import { DocumentQueue, isSelected, keyOf, type QueuedDocument } from './document-queue';
import { failureOf } from './failure-of';
import { documentSummary, pageSummary, selectionSummary } from './summaries';
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
  summary: 'ask the signer for its public key',
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
  summary: 'write the audit',
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '15 seconds',
  scheduleToCloseTimeout: '24 hours',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

/** Answers to what somebody asked of a run; short, since that person waits. */
const { planAgain, skipDocuments, requestCancellation } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
});

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
  const run = new Run(request);

  let checked: CheckSignerResult | undefined;
  let failure: Failure | undefined;
  let cancelled: CancelledFailure | undefined;
  try {
    checked = await checkSigner.executeWithOptions({ summary: 'check signer' }, [
      { runId: runId(), request },
    ]);
    makeSearchable(checked, {
      operator: request.operatorUserId,
      pubkey: checked.operatorPubkey,
    });
    await run.republishAll(checked);
  } catch (error) {
    if (isCancellation(error))
      cancelled = new CancelledFailure('the run was cancelled; the audit tells what was done');
    else failure = failureOf(error);
  }
  if (CancellationScope.current().consideredCancelled) {
    cancelled ??= new CancelledFailure('the run was cancelled; the audit tells what was done');
  }

  run.enter('writing audit');
  const audit = await CancellationScope.nonCancellable(async () => {
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
      failures: unknownToLedger(run.queue.failures),
      ...(interventions.length === 0 ? {} : { interventions }),
    });
  }).catch((error: unknown) => {
    throw withoutAudit(failure, failureOf(error));
  });
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
  return audit.events;
}

/** Failures that the query has room for; the audit has all of them. */
const MAX_SHOWN_FAILURES = 50;

/** One execution of the saga: its documents, what is shown of it, and what people ask of it. */
class Run implements ControlledRun {
  readonly queue = new DocumentQueue();
  readonly control: Control;
  #tally = new Tally();
  #checked: CheckSignerResult | undefined;
  /** Failures of bad rows, as the pages named them. */
  #badRows: DocumentFailure[] = [];
  #ending = false;
  /** The scope of the workflow itself: queries and updates run outside of it. */
  #scope = CancellationScope.current();

  constructor(private readonly request: RepublishInput) {
    this.control = new Control(this);
    setHandler(progressQuery, () => this.progress(), {
      description:
        'Phase, what the run waits for, failures, and how many documents are planned, published, unchanged, superseded, skipped and failed',
    });
    this.onChange();
  }

  progress(): Progress {
    const { paused, approvals } = this.control;
    return {
      phase: this.#tally.phase,
      cancelling: this.#scope.consideredCancelled,
      ...(paused === undefined ? {} : { paused }),
      approvals,
      waiting: this.queue.waiting,
      failures: [...this.#badRows, ...this.queue.failures].slice(0, MAX_SHOWN_FAILURES),
      ...this.#tally.total,
      documentTypes: this.#tally.byType,
    };
  }

  enter(phase: Phase): void {
    this.#tally.phase = phase;
    if (phase === 'writing audit') this.#ending = true;
    this.onChange();
  }

  onChange(): void {
    setCurrentDetails(currentDetails(this.progress(), this.request.operatorUserId));
  }

  end({ counts, failures }: PersistAuditResult): void {
    this.#tally.settle(counts);
    this.#badRows = failures;
    this.queue.clear();
    this.enter('done');
  }

  /** Plans every page first, so that all bad rows are known before the first signature, then republishes what is left. */
  async republishAll(checked: CheckSignerResult): Promise<void> {
    this.#checked = checked;
    const { operatorPubkey, limits } = checked;
    const { operatorUserId } = this.request;
    const toSign = await this.#plan(checked);
    // A run that finds everything in place asks nothing of the signer, and so does not need it to be up.
    if (toSign > 0) {
      this.enter('asking signer');
      await this.control.untilResumed();
      await askSigner({ operatorUserId, operatorPubkey });
      this.control.forgetApproval('askSigner');
    }
    const republish = republishWithin(limits);
    const { force } = this.request;
    do {
      this.enter('publishing');
      await this.queue.work(
        limits.documentsInFlight,
        () => this.control.untilResumed(),
        ({ machineId, name, documentType }) =>
          republish.executeWithOptions({ summary: documentSummary(documentType, name, machineId) }, [
            { runId: runId(), documentType, machineId, ...(force ? { force: true as const } : {}) },
          ]),
        (document, result) => {
          this.#tally.count(document.documentType, result?.outcome ?? 'failed');
          this.control.forgetApproval(keyOf(document));
          this.onChange();
        },
        failureOf,
      );
      await this.control.untilIdle();
    } while (await this.#hasMoreToDo());
  }

  /** @returns how many documents will need the signer, as far as the ledger knows */
  async #plan({ operatorPubkey, documentTypes, limits }: CheckSignerResult): Promise<number> {
    const { operatorUserId, machineIds, force = false } = this.request;
    this.#tally.begin(documentTypes);
    this.onChange();
    let toSign = 0;
    let after: string | undefined;
    do {
      await this.control.untilResumed();
      const page = await loadMachines.executeWithOptions({ summary: pageSummary(after) }, [
        {
          runId: runId(),
          operatorUserId,
          operatorPubkey,
          documentTypes,
          ...(machineIds === undefined ? {} : { machineIds }),
          force,
          ...(after === undefined ? {} : { after }),
          limit: limits.machinesPerPage,
        },
      ]);
      this.#tally.addPage(page);
      this.#badRows = [...this.#badRows, ...page.failures].slice(0, MAX_SHOWN_FAILURES);
      toSign += page.toSign;
      this.queue.add(documentsOf(page.machines));
      after = page.next;
    } while (after !== undefined);
    this.onChange();
    return toSign;
  }

  /** Whether there is more to work on; in a run that holds, not before somebody has decided what to do about the failures. */
  async #hasMoreToDo(): Promise<boolean> {
    const isWorkable = (): boolean => this.queue.waiting > 0 && !this.queue.isHopeless;
    if (isWorkable()) return true;
    if (this.request.onFailure !== 'hold') return false;
    const isDecided = (): boolean => this.queue.waiting === 0 && this.#tally.total.failed === 0;
    if (isDecided()) return false;
    this.enter('holding');
    await condition(() => isWorkable() || (isDecided() && allHandlersFinished()));
    return isWorkable();
  }

  refusal(name: UpdateName, { documentType, machineId }: DocumentSelection): string | undefined {
    if (this.#ending) return 'the run is ending: its audit is being written';
    if (name === 'pause' && this.control.paused !== undefined) return 'the run is paused already';
    if (name === 'resume' && this.control.paused === undefined) return 'the run is not paused';
    if (name === 'cancel' && this.#scope.consideredCancelled) return 'the run is cancelled already';
    if (name !== 'retry' && name !== 'skip') return undefined;
    if (this.#scope.consideredCancelled) return 'the run is cancelled';
    const types = this.#checked?.documentTypes;
    if (types === undefined) return 'the documents are not known yet; try again in a moment';
    if (documentType != null && !types.includes(documentType))
      return `${documentType} is not part of this run; it has ${types.join(', ')}`;
    if (name === 'skip' && documentType == null && machineId == null && this.#tally.phase !== 'holding') {
      return 'name documentType or machineId: without, skip is only for a run that holds';
    }
    if (name === 'retry' && this.#tally.total.failed === 0 && !this.queue.isHopeless)
      return 'nothing has failed; documents that are being retried go on by themselves';
    return undefined;
  }

  async retry({ documentType, machineId }: DocumentSelection): Promise<number> {
    const selection = selectionOf(documentType, machineId);
    const again = this.queue.retry(selection);
    const { counts, failures, machines } = await planAgain.executeWithOptions(
      { summary: selectionSummary('plan again', selection) },
      [
        {
          runId: runId(),
          operatorUserId: this.request.operatorUserId,
          selection,
        },
      ],
    );
    const before = this.queue.waiting;
    this.queue.add(documentsOf(machines));
    this.#badRows = failures;
    this.#tally.adopt({ counts }, this.queue.failures);
    return again + this.queue.waiting - before;
  }

  async skip({ documentType, machineId, by, reason }: DocumentSelection): Promise<number> {
    const selection = selectionOf(documentType, machineId);
    await this.queue.giveUp(selection);
    const { counts, documents } = await skipDocuments.executeWithOptions(
      { summary: selectionSummary('give up', selection) },
      [
        {
          runId: runId(),
          selection,
          ...(by == null ? {} : { by }),
          ...(reason == null ? {} : { reason }),
        },
      ],
    );
    this.#badRows = this.#badRows.filter((row) => !isSelected(row, selection));
    this.#tally.adopt({ counts }, this.queue.failures);
    return documents;
  }

  /** By Temporal itself, which a workflow cannot ask: the run is then cancelled as by any other client. */
  cancel(): Promise<void> {
    return CancellationScope.nonCancellable(() =>
      requestCancellation.executeWithOptions({ summary: 'cancel this run' }, []),
    );
  }
}

function selectionOf(documentType: string | undefined, machineId: string | undefined): DocumentSelection {
  return { ...(documentType == null ? {} : { documentType }), ...(machineId == null ? {} : { machineId }) };
}

function documentsOf(machines: PlannedMachine[]): QueuedDocument[] {
  return machines.flatMap(({ machineId, name, documentTypes }) =>
    documentTypes.map((documentType) => ({ machineId, name, documentType })),
  );
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

/** The ledger key of the run: it stays across continue-as-new. */
function runId(): string {
  return workflowInfo().firstExecutionRunId;
}
