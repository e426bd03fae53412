import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  CheckSignerResult,
  LedgerCounts,
  PersistAuditInput,
  PersistAuditResult,
  RepublishDocumentInput,
} from '../contract/activities';
import type { DocumentSelection, UpdateName } from '../contract/control';
import type { DocumentFailure } from '../contract/failures';
import type { RepublishInput } from '../contract/input';
import { PROGRESS_QUERY } from '../contract/names';
import type { Outcome, Phase, Progress } from '../contract/progress';
import { didYouMean } from '../contract/suggest';
import {
  askSigner,
  loadMachines,
  noteFailures,
  planAgain,
  republishWithin,
  requestCancellation,
  skipDocuments,
} from './activities';
import type { CarriedOver } from './carried-over';
import { Control, type ControlledRun } from './control';
import { currentDetails } from './current-details';
import { documentsOf, DocumentQueue, isSelected, keyOf, type QueuedDocument } from './document-queue';
import { failureOf, unknownToLedger } from './failure-of';
import { LedgerPages, type LedgerReference } from './ledger-pages';
import { documentSummary, pageSummary, selectionSummary } from './summaries';
import { Tally } from './tally';

/** Failures that the query has room for; the audit has all of them. */
const MAX_SHOWN_FAILURES = 50;
/** Failures that are written into the ledger at once. */
const MAX_NOTED = 200;

const progressQuery = defineQuery<Progress>(PROGRESS_QUERY);

/** One execution of a run: its documents, what is shown of it, and what people ask of it. */
export class Run implements ControlledRun {
  readonly queue: DocumentQueue;
  readonly control: Control;
  #tally: Tally;
  #pages: LedgerPages;
  #checked: CheckSignerResult | undefined;
  /** Failures of bad rows, as the pages named them. */
  #badRows: DocumentFailure[];
  /** What earlier executions of this run have tried in vain: how many by type, and some of them. */
  #failedEarlier: Record<string, number>;
  #failuresOfEarlier: DocumentFailure[];
  /** Documents are read from the ledger when their turn comes, and the run may continue as new. */
  #inPages: boolean;
  /** History names documents by their numbers in the ledger, and holds event ids packed. */
  #byNumber = false;
  #isShowing = false;
  #ending = false;
  /** The scope of the workflow itself: queries and updates run outside of it. */
  #scope = CancellationScope.current();

  constructor(
    private readonly request: RepublishInput,
    private readonly carried?: CarriedOver,
  ) {
    this.queue = new DocumentQueue(carried);
    this.#tally = new Tally(carried?.counts);
    this.#checked = carried?.checked;
    this.#badRows = carried?.badRows ?? [];
    this.#failedEarlier = carried?.failed ?? {};
    this.#failuresOfEarlier = carried?.failures ?? [];
    this.#inPages = carried !== undefined;
    this.#pages = new LedgerPages(
      {
        reference: () => this.#reference,
        queue: this.queue,
        pageSize: () => this.#checked?.limits.machinesPerPage ?? 1,
        onTakenUp: (documents) => this.#takeUp(documents),
      },
      carried,
    );
    this.queue.add(carried?.again ?? []);
    this.control = new Control(this, carried);
    setHandler(progressQuery, () => this.progress(), {
      description:
        'Phase, what the run waits for, failures, and how many documents are planned, published, unchanged, superseded, skipped and failed',
    });
    this.control.listen();
    this.onChange();
  }

  progress(): Progress {
    const { paused, approvals } = this.control;
    return {
      phase: this.#tally.phase,
      cancelling: this.#scope.consideredCancelled,
      ...(paused === undefined ? {} : { paused }),
      approvals,
      waiting: this.#tally.waiting(this.queue.inWork),
      failures: [
        ...this.#badRows,
        ...this.#failuresOfEarlier,
        ...this.queue.failures(MAX_SHOWN_FAILURES),
      ].slice(0, MAX_SHOWN_FAILURES),
      ...this.#tally.total,
      documentTypes: this.#tally.byType,
    };
  }

  enter(phase: Phase): void {
    this.#tally.phase = phase;
    if (phase === 'writing audit') this.#ending = true;
    this.onChange();
  }

  /** Many documents may end in one workflow task: what is shown is written once, after all of them. */
  onChange(): void {
    if (this.#isShowing) return;
    this.#isShowing = true;
    void Promise.resolve().then(() => {
      this.#isShowing = false;
      setCurrentDetails(currentDetails(this.progress(), this.request.operatorUserId));
    });
  }

  get #reference(): LedgerReference {
    return { runId: runId(), ...(this.#byNumber ? { numbered: true as const } : {}) };
  }

  /** What `persistAudit` is asked for beside what it has to write. */
  get auditForm(): Pick<PersistAuditInput, 'packed' | 'planned'> {
    const { planned, skipped } = this.#tally.total;
    return { planned: planned + skipped, ...(this.#byNumber ? { packed: true } : {}) };
  }

  end({ counts, failures }: PersistAuditResult): void {
    this.#tally.settle(counts);
    this.#badRows = failures;
    this.#failuresOfEarlier = [];
    this.queue.clear();
    this.enter('done');
  }

  /**
   * Plans every page first, so that all bad rows are known before the first signature, then republishes what is left.
   *
   * @returns what the next execution takes over, when this one has to end before all is done
   */
  async republishAll(checked: CheckSignerResult): Promise<CarriedOver | undefined> {
    this.#checked = checked;
    if (this.carried === undefined) this.#inPages = patched('documents in pages');
    this.#byNumber = patched('documents by number');
    if (this.carried === undefined) await this.#prepare(checked);
    const { limits } = checked;
    const republish = republishWithin(limits);
    do {
      this.enter('publishing');
      await this.queue.work(this.#pages, {
        width: limits.documentsInFlight,
        mayBegin: () =>
          this.control.paused === undefined
            ? undefined
            : this.control.untilResumed(() => this.#mustHandOver()),
        mustEnd: () => this.#mustHandOver(),
        work: (document) =>
          republish.executeWithOptions({ summary: documentSummary(document) }, [this.#inputOf(document)]),
        onEnd: (document, result = 'published') =>
          this.#settle(document, typeof result === 'object' ? result.outcome : result),
        onFailure: (document) => this.#settle(document, 'failed'),
        failureOf,
      });
      await this.control.untilIdle();
      if (this.#mustHandOver() && this.#hasWork()) return this.#handOver(checked);
    } while (await this.#hasMoreToDo());
    // A run that holds may do so for weeks, and be asked to try again many times.
    const holdsOn = this.request.onFailure === 'hold' && !this.#isDecided();
    return holdsOn && this.#mustHandOver() ? this.#handOver(checked) : undefined;
  }

  #inputOf({ documentType, machineId, number }: QueuedDocument): RepublishDocumentInput {
    const force = this.request.force === true ? { force: true as const, ...this.#resetCounts } : undefined;
    if (!this.#byNumber || number === undefined) return { runId: runId(), documentType, machineId, ...force };
    return force === undefined ? number : { document: number, ...force };
  }

  get #resetCounts(): { resetCounts?: true } {
    return this.request.resetCounts === true ? { resetCounts: true } : {};
  }

  #settle(document: QueuedDocument, outcome: Outcome): void {
    this.#tally.count(document.documentType, outcome);
    this.control.forgetApproval(keyOf(document));
    this.onChange();
  }

  async #prepare(checked: CheckSignerResult): Promise<void> {
    const toSign = await this.#plan(checked);
    // A run that finds everything in place asks nothing of the signer, and so does not need it to be up.
    if (toSign > 0) {
      this.enter('asking signer');
      await this.control.untilResumed();
      await askSigner({
        operatorUserId: this.request.operatorUserId,
        operatorPubkey: checked.operatorPubkey,
      });
      this.control.forgetApproval('askSigner');
    }
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
          ...this.#reference,
          operatorUserId,
          operatorPubkey,
          documentTypes,
          ...(machineIds === undefined ? {} : { machineIds }),
          force,
          ...this.#resetCounts,
          ...(after === undefined ? {} : { after }),
          limit: limits.machinesPerPage,
          ...(after !== undefined && this.#inPages ? { list: false as const } : {}),
        },
      ]);
      this.#tally.addPage(page);
      this.#badRows = [...this.#badRows, ...page.failures].slice(0, MAX_SHOWN_FAILURES);
      toSign += page.toSign;
      if (page.open !== undefined) this.#pages.leaveInLedger();
      else this.#pages.list(documentsOf(page));
      after = page.next;
    } while (after !== undefined);
    this.onChange();
    return toSign;
  }

  /** Whether there is more to work on; in a run that holds, not before somebody has decided what to do about the failures. */
  async #hasMoreToDo(): Promise<boolean> {
    const isWorkable = (): boolean => this.#hasWork() && !this.queue.isHopeless;
    if (isWorkable()) return true;
    if (this.request.onFailure !== 'hold' || this.#isDecided()) return false;
    this.enter('holding');
    await condition(
      () => isWorkable() || this.#mustHandOver() || (this.#isDecided() && allHandlersFinished()),
    );
    return isWorkable();
  }

  /** They had failed, and wait for another attempt. */
  #takeUp(documents: QueuedDocument[]): void {
    for (const { documentType } of documents) {
      this.#tally.takeUp(documentType);
      this.#failedEarlier[documentType] = (this.#failedEarlier[documentType] ?? 0) - 1;
    }
  }

  #hasWork(): boolean {
    return this.queue.waiting > 0 || !this.#pages.isEmpty;
  }

  #isDecided(): boolean {
    return !this.#hasWork() && this.#tally.total.failed === 0;
  }

  /** Far below Temporal's limits, which would end the run without an audit. */
  #mustHandOver(): boolean {
    if (!this.#inPages || this.#scope.consideredCancelled) return false;
    const { documentsPerExecution = Infinity } = this.#checked?.limits ?? {};
    return this.queue.begun >= documentsPerExecution || workflowInfo().continueAsNewSuggested;
  }

  /** Nothing is in work any more. What the ledger does not know yet is written there, and so has not to be carried on. */
  async #handOver(checked: CheckSignerResult): Promise<CarriedOver> {
    await this.#pages.untilIdle();
    const toNote = unknownToLedger(this.queue.failures());
    for (let begin = 0; begin < toNote.length; begin += MAX_NOTED)
      await noteFailures.executeWithOptions({ summary: 'note failures in the ledger' }, [
        { runId: runId(), failures: toNote.slice(begin, begin + MAX_NOTED) },
      ]);
    await this.control.untilIdle();
    // Nothing may be awaited from here on: whatever people asked for meanwhile is in what follows.
    const failures = this.queue.failures();
    const failed = { ...this.#failedEarlier };
    for (const { documentType } of failures) failed[documentType] = (failed[documentType] ?? 0) + 1;
    const { paused, interventions } = this.control;
    return {
      checked,
      ...this.#pages.carriedOver,
      failed,
      counts: this.#tally.byType,
      badRows: this.#badRows.slice(0, MAX_SHOWN_FAILURES),
      failures: [...this.#failuresOfEarlier, ...failures]
        .slice(0, MAX_SHOWN_FAILURES)
        .map((failure) => ({ ...failure, message: failure.message.slice(0, 300) })),
      failedInARow: this.queue.failedInARow,
      ...(paused === undefined ? {} : { paused }),
      interventions,
    };
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
      return `${documentType} is not part of this run${didYouMean(documentType, types)}; it has ${types.join(', ')}`;
    if (name === 'skip' && documentType == null && machineId == null && this.#tally.phase !== 'holding') {
      return 'name documentType or machineId: without, skip is only for a run that holds';
    }
    if (name === 'retry' && this.#tally.total.failed === 0 && !this.queue.isHopeless)
      return 'nothing has failed; documents that are being retried go on by themselves';
    return undefined;
  }

  async retry({ documentType, machineId }: DocumentSelection): Promise<number> {
    const selection = selectionOf(documentType, machineId);
    let again = this.queue.retry(selection);
    await this.#pages.exclusively(async () => {
      const result = await planAgain.executeWithOptions(
        { summary: selectionSummary('plan again', selection) },
        [
          {
            ...this.#reference,
            operatorUserId: this.request.operatorUserId,
            selection,
            ...this.#pages.limits,
          },
        ],
      );
      again += this.queue.add(documentsOf(result)).length;
      this.#badRows = result.failures;
      this.#adopt(result, selection);
      if (result.selectedBehind === undefined || result.selectedBehind === 0) return;
      again += result.selectedBehind;
      this.#pages.tryAgain(selection);
    });
    return again;
  }

  async skip({ documentType, machineId, by, reason }: DocumentSelection): Promise<number> {
    const selection = selectionOf(documentType, machineId);
    return this.queue.refusing(selection, async () => {
      await this.queue.giveUp(selection);
      return this.#pages.exclusively(async () => {
        const { behind } = this.#pages.limits;
        const result = await skipDocuments.executeWithOptions(
          { summary: selectionSummary('give up', selection) },
          [
            {
              runId: runId(),
              selection,
              ...(by == null ? {} : { by }),
              ...(reason == null ? {} : { reason }),
              ...(behind === undefined ? {} : { behind }),
            },
          ],
        );
        this.#badRows = this.#badRows.filter((row) => !isSelected(row, selection));
        this.#adopt(result, selection);
        return result.documents;
      });
    });
  }

  /** What the ledger says after people have intervened. Those of the selection are not shown as failures any more. */
  #adopt(result: LedgerCounts, selection: DocumentSelection): void {
    this.#failedEarlier = result.behind ?? this.#failedEarlier;
    this.#failuresOfEarlier = this.#failuresOfEarlier.filter((failure) => !isSelected(failure, selection));
    this.#tally.adopt(result, this.queue.failures(), this.#failedEarlier);
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

/** The ledger key of the run: it stays across continue-as-new. */
export function runId(): string {
  return workflowInfo().firstExecutionRunId;
}
