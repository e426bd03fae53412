import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { LedgerView, OpenedRun, PageResult, PersistAuditResult } from '../contract/activities';
import { contentOf } from '../rules/page-numbers';
import type { Failure } from '../contract/failures';
import type { RepublishInput } from '../contract/input';
import { PROGRESS_QUERY } from '../contract/names';
import type { Phase, Progress } from '../contract/progress';
import { type Next, Pages, type Step } from '../rules/pages';
import { documentsOf } from '../rules/tally';
import {
  loadMachines,
  proveSigner,
  readLedger,
  republishWithin,
  runId,
  settlePage,
  sweep,
} from './activity-calls';
import type { CarriedOver } from './carried-over';
import { Control } from './control';
import { currentDetails } from './current-details';
import { failureOf } from './failure-of';
import { Shown } from './shown';
import { ControlActions } from './control-actions';
import { loadSummary, pageSummary } from './summaries';

/** Longer than a turn. A page that has not returned by then waits for its next attempt: it is cancelled. */
const DRAIN = '15 seconds';

const progressQuery = defineQuery<Progress>(PROGRESS_QUERY);

/**
 * One execution of a run: performs the steps that `Pages` decides on, shows the progress, takes the controls.
 */
export class Run {
  readonly control: Control;
  readonly pages: Pages;
  opened: OpenedRun | undefined;
  #machines: number;
  #lookedIn: string | undefined;
  #planned: number;
  #shown: Shown;
  /** Steps in work, with the scope that cancels each. */
  #inWork = new Map<Step, CancellationScope>();
  #actions: ControlActions;
  #ending: Extract<Phase, 'writing audit' | 'done'> | undefined;
  #isShowing = false;
  /** A failure that the audit found. */
  #auditFailure: Failure | undefined;
  /** The scope of the workflow itself: queries and updates run outside of it. */
  #scope = CancellationScope.current();

  constructor(
    private readonly request: RepublishInput,
    /** Called once, when the run is opened in the ledger. */
    private readonly onOpened: (opened: OpenedRun) => void,
    carried?: CarriedOver,
  ) {
    this.opened = carried?.opened;
    this.#machines = carried?.machines ?? 0;
    this.#planned = carried?.planned ?? 0;
    this.#shown = new Shown(carried?.counts);
    this.pages = new Pages(request.onFailure === 'hold', carried?.opened);
    this.#actions = new ControlActions(this, carried?.paused);
    this.control = new Control(this.#actions, () => this.onChange(), carried?.interventions);
    setHandler(progressQuery, () => this.progress(), {
      description:
        'Phase, what the run waits for, failures, and how many documents are planned, published, unchanged, superseded, skipped, given up and failed',
    });
    this.control.listen();
    this.onChange();
  }

  /**
   * Resolves when nothing is left to do, or when the next execution has to continue. After a cancellation it
   * resolves when all steps in work have ended.
   */
  async work(): Promise<'end' | 'hand over'> {
    this.#scope.cancelRequested.catch(() => this.giveWay());
    return CancellationScope.nonCancellable(async () => {
      for (;;) {
        const next = this.#next();
        switch (next.do) {
          case 'end':
          case 'hand over':
            // An update in work belongs into the audit, or into what the next execution takes over.
            if (allHandlersFinished()) return next.do;
            await condition(allHandlersFinished);
            break;
          case 'wait':
            await condition(() => this.#next().do !== 'wait');
            break;
          case 'drain':
            if (!(await condition(() => this.#next().do !== 'drain', DRAIN))) this.giveWay('republish');
            break;
          default:
            this.#begin(next);
        }
      }
    });
  }

  #next(): Next {
    return this.pages.next({
      cancelled: this.isCancelled,
      stopped: this.#actions.stop,
      isHistoryLong: workflowInfo().continueAsNewSuggested,
    });
  }

  #begin(step: Step): void {
    this.pages.begin(step);
    const scope = new CancellationScope();
    this.#inWork.set(step, scope);
    void scope
      .run(() => this.#perform(step))
      .catch((error: unknown) => {
        if (isCancellation(error)) this.pages.gaveWay(step);
        else this.pages.failed(step, failureOf(error));
        if (this.pages.endedBy !== undefined) this.giveWay();
      })
      .then(() => {
        this.#inWork.delete(step);
        this.control.forgetApproval(activityIdOf(step));
        this.onChange();
      });
    this.onChange();
  }

  async #perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'load machines':
        return this.#load(step);
      case 'prove signer':
        await proveSigner.executeWithOptions({ activityId: activityIdOf(step) }, [{ runId: runId() }]);
        return this.pages.proved();
      case 'read ledger': {
        const view = await readLedger.executeWithOptions({ summary: step.do }, [{ runId: runId() }]);
        if (this.pages.viewed(view)) this.#shown.viewed(view);
        return;
      }
      case 'republish':
        return this.#republish(step);
      case 'sweep': {
        const result = await sweep({ runId: runId(), ...(step.blocked ? { blocked: true } : {}) });
        if (this.pages.swept(result)) this.#shown.viewed(result);
      }
    }
  }

  async #load({ after }: Extract<Step, { do: 'load machines' }>): Promise<void> {
    const result = await loadMachines.executeWithOptions({ summary: loadSummary(after) }, [
      { runId: runId(), request: this.request, ...(after === undefined ? {} : { after }) },
    ]);
    if (this.opened === undefined) this.onOpened(result.opened);
    this.opened = result.opened;
    this.#machines = result.machines;
    this.#lookedIn = result.lookedIn;
    for (const [, counts] of result.pages) this.#planned += documentsOf(counts);
    this.#shown.loaded(result, (page) => contentOf(result.opened, page, result.machines).documentType);
    this.pages.loaded(result);
  }

  async #republish(step: Extract<Step, { do: 'republish' }>): Promise<void> {
    const { opened } = this;
    if (opened === undefined) return;
    const { page } = step;
    const summary = pageSummary(opened, page, this.#machines);
    let result: PageResult;
    try {
      const options = { summary, activityId: activityIdOf(step) };
      result = await republishWithin(opened.limits).executeWithOptions(options, [{ runId: runId(), page }]);
    } catch (error) {
      if (isCancellation(error)) throw error;
      // Cancelled: the audit settles the page. Opened again: another attempt comes anyway.
      if (this.isCancelled || this.pages.isOpenedAgain(page)) return this.pages.gaveWay(step);
      const failure = failureOf(error);
      result = await settlePage.executeWithOptions({ summary: `settle ${summary}` }, [
        { runId: runId(), page, failure },
      ]);
    }
    const { documentType } = contentOf(opened, page, this.#machines);
    this.#shown.returned(page, documentType, result);
    this.pages.returned(page, result);
  }

  progress(): Progress {
    const { paused } = this.#actions;
    const blocked = this.pages.blocked ?? this.pages.endedBy ?? this.#auditFailure;
    return {
      phase: this.#ending ?? this.pages.phase,
      cancelling: this.isCancelled,
      ...(paused === undefined ? {} : { paused }),
      approvals: this.control.approvals,
      ...(blocked === undefined ? {} : { blocked }),
      ...(this.#lookedIn === undefined ? {} : { lookedIn: this.#lookedIn }),
      ...(this.opened === undefined ? {} : { documentsPerPage: this.opened.limits.documentsPerPage }),
      ...this.#shown.progress,
    };
  }

  /** Many pages may end in one workflow task: the details are written once, after all of them. */
  onChange(): void {
    if (this.#isShowing) return;
    this.#isShowing = true;
    void Promise.resolve().then(() => {
      this.#isShowing = false;
      setCurrentDetails(currentDetails(this.progress(), this.request.operatorUserId));
    });
  }

  get carriedOver(): CarriedOver | undefined {
    if (this.opened === undefined) return undefined;
    const { paused } = this.#actions;
    return {
      opened: this.opened,
      machines: this.#machines,
      planned: this.#planned,
      counts: this.#shown.tally.byType,
      ...(paused === undefined ? {} : { paused }),
      interventions: this.control.interventions,
    };
  }

  /** Documents that the ledger must have; undefined where planning did not end. */
  get planned(): number | undefined {
    return this.pages.isLoaded ? this.#planned : undefined;
  }

  get isCancelled(): boolean {
    return this.#scope.consideredCancelled;
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** From here on the run refuses controls. */
  beginAudit(): void {
    this.#ending = 'writing audit';
    this.onChange();
  }

  end(audit: PersistAuditResult): void {
    this.#auditFailure = audit.failure;
    this.#shown.audited(audit);
    this.#ending = 'done';
    this.onChange();
  }

  /** Cancels steps in work, of these kinds or all: they finish what is signed, and end. */
  giveWay(...kinds: Step['do'][]): void {
    for (const [step, scope] of this.#inWork)
      if (kinds.length === 0 || kinds.includes(step.do)) scope.cancel();
  }

  /** Takes over what the ledger contains after a control. */
  adopt(view: LedgerView): void {
    this.pages.changed(view);
    this.#shown.viewed(view);
  }
}

/** An activity names itself by this id in its approval notices. */
function activityIdOf(step: Step): string {
  return step.do === 'republish' ? `page ${step.page}` : step.do;
}
