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
import type { ControlRequest, Intervention } from '../../contract/control';
import {
  DEFAULT_OPERATORS_AT_ONCE,
  type FleetControlResult,
  type FleetInput,
  type FleetPhase,
  type FleetProgress,
  type FleetUpdateName,
  noOperators,
  type OperatorCounts,
  type OperatorEnd,
} from '../../contract/fleet';
import type { OperatorRun, PlanFleetResult } from '../../contract/fleet-activities';
import { PROGRESS_QUERY } from '../../contract/names';
import { type FleetStep, nextOfFleet } from '../../rules/fleet';
import { runId } from '../activity-calls';
import { loadOperators, recordOperators, speakToRuns } from './activity-calls';
import { FleetControl, type ControlledFleet } from './control';
import { fleetDetails } from './details';
import { endOfAdopted, republishOperator } from './operator-run';
import { type InWork, RunsInWork } from './runs-in-work';

const OPERATORS_PER_PAGE = 500;
/** Ended operators are recorded in batches: an activity for each would double the history of the fleet. */
const RECORD_TOGETHER = 50;
const MAX_SHOWN_FAILURES = 50;
const MAX_SHOWN_AT_WORK = 20;

/** What one execution of a fleet passes to the next (continue-as-new). */
export interface FleetState extends PlanFleetResult {
  counts: OperatorCounts;
  failures: OperatorEnd[];
  /** The last operator who was begun. */
  after?: string;
  /** Runs in work. The next execution cannot be their parent, so it follows them. */
  running: (OperatorRun & { paused: boolean })[];
  /** Operators whose own run waits for the end of another run. The next execution begins them again. */
  again: string[];
  /** Operators who ended and are not recorded in the ledger yet. */
  unrecorded: OperatorEnd[];
  paused?: Intervention;
  interventions: Intervention[];
}

const progressQuery = defineQuery<FleetProgress>(PROGRESS_QUERY);

/** One execution of a fleet: begins the operators, counts how they end, shows the progress. */
export class Fleet implements ControlledFleet {
  readonly control: FleetControl;
  phase: FleetPhase = 'planning';
  unrecorded: OperatorEnd[];
  #planned: number;
  #counts: OperatorCounts;
  #failures: OperatorEnd[];
  #page: string[] = [];
  #after: string | undefined;
  #allLoaded = false;
  #hasBegun = false;
  #inWork = new RunsInWork((input) => CancellationScope.nonCancellable(() => speakToRuns(input)));
  #broken: { error: unknown } | undefined;
  /** The scope of the workflow itself: queries and updates run outside of it. */
  #scope = CancellationScope.current();

  constructor(
    private readonly request: FleetInput,
    private readonly carried?: FleetState,
  ) {
    this.#planned = carried?.planned ?? 0;
    this.#counts = carried?.counts ?? noOperators();
    this.#failures = carried?.failures ?? [];
    this.#after = carried?.after;
    this.unrecorded = carried?.unrecorded ?? [];
    this.control = new FleetControl(this, carried);
    setHandler(progressQuery, () => this.progress(), {
      description: 'Phase, how many operators wait, are in work and have ended, and who is not complete',
    });
    this.control.listen();
  }

  progress(): FleetProgress {
    const { paused } = this.control;
    const running = this.#inWork.size;
    const ended = Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
    return {
      phase: this.phase,
      cancelling: this.#scope.consideredCancelled || this.control.cancelAsked,
      ...(paused === undefined ? {} : { paused }),
      planned: this.#planned,
      waiting: this.#planned - running - ended,
      operators: this.#counts,
      atWork: this.#inWork.operators.slice(0, MAX_SHOWN_AT_WORK),
      running,
      failures: this.#failures,
    };
  }

  enter(phase: FleetPhase): void {
    this.phase = phase;
    this.onChange();
  }

  onChange(): void {
    setCurrentDetails(fleetDetails(this.progress()));
  }

  /**
   * Begins every operator, a limited number at a time. Resolves when all have ended, or with the state for
   * the next execution when the history is long. Rejects when the fleet is cancelled, after the runs in work
   * have ended.
   */
  async work(plan: PlanFleetResult): Promise<FleetState | undefined> {
    this.#planned = plan.planned;
    this.enter('running');
    for (const { paused, ...run } of this.carried?.running ?? []) {
      const adopted = { run, paused, adopted: true } as const;
      void this.#follow(run.operatorUserId, adopted, () => endOfAdopted(this.request, run));
    }
    for (const operator of this.carried?.again ?? []) this.#beginOperator(operator);
    try {
      for (let next = this.#next; next !== 'end'; next = this.#next) {
        if (next === 'load') await this.#loadPage();
        else if (next === 'begin') this.#beginNext();
        else if (next === 'hand over' && this.#isSettled) return this.#state(plan);
        else {
          const before = next;
          await condition(() => this.#next !== before || (before === 'hand over' && this.#isSettled));
        }
      }
    } catch (error) {
      await CancellationScope.nonCancellable(() => this.#untilEnded(isCancellation(error)));
      throw error;
    }
    if (this.#broken !== undefined) throw this.#broken.error;
    return undefined;
  }

  async #untilEnded(cancelled: boolean): Promise<void> {
    // Temporal cancels children with their parent. Runs of an earlier execution have no parent.
    if (cancelled)
      await this.#inWork.control('cancel', {}, ({ adopted }) => adopted === true).catch(() => undefined);
    await condition(() => this.#inWork.size === 0);
  }

  get #next(): FleetStep {
    return nextOfFleet({
      running: this.#inWork.size,
      atOnce: this.request.operatorsAtOnce ?? DEFAULT_OPERATORS_AT_ONCE,
      loaded: this.#page.length,
      allLoaded: this.#allLoaded,
      hasBegun: this.#hasBegun,
      paused: this.control.paused !== undefined,
      isEnding: this.control.cancelAsked || this.#broken !== undefined,
      isHistoryLong: workflowInfo().continueAsNewSuggested,
    });
  }

  /** Nothing is in work that the next execution could not know of. */
  get #isSettled(): boolean {
    const areRunsSettled = this.#inWork.all.every(({ starting, ended }) => !starting && !ended);
    // A run that began during a pause is paused without an update.
    return allHandlersFinished() && this.#inWork.isIdle && areRunsSettled;
  }

  async #loadPage(): Promise<void> {
    const page = await loadOperators({
      runId: runId(),
      ...(this.#after === undefined ? {} : { after: this.#after }),
      limit: OPERATORS_PER_PAGE,
    });
    this.#page = page.operators;
    this.#allLoaded = page.next === undefined;
  }

  #beginNext(): void {
    const operator = this.#page.shift();
    if (operator === undefined) return;
    this.#after = operator;
    this.#beginOperator(operator);
  }

  #beginOperator(operator: string): void {
    this.#hasBegun = true;
    const inWork: InWork = { paused: false };
    void this.#follow(operator, inWork, () =>
      republishOperator(this.request, operator, {
        onStarting: () => (inWork.starting = true),
        onOther: () => (inWork.starting = false),
        onBegun: (run) => {
          // In one turn: without a run, and not starting, the next execution would begin the operator again.
          Object.assign(inWork, { run, starting: false });
          const { paused } = this.control;
          if (paused === undefined) return;
          // It began while the fleet was pausing the others.
          const isStillPaused = (each: InWork): boolean =>
            each === inWork && this.control.paused !== undefined;
          this.#inWork.control('pause', paused, isStillPaused).catch(() => undefined);
        },
      }),
    );
  }

  /**
   * Waits for the end of an operator and counts it. It never rejects: an error here ends the fleet in `work`.
   */
  async #follow(
    operatorUserId: string,
    inWork: InWork,
    work: () => Promise<OperatorEnd | undefined>,
  ): Promise<void> {
    this.#inWork.add(operatorUserId, inWork);
    this.onChange();
    try {
      const end = await work();
      inWork.ended = true;
      if (end !== undefined) this.#count(end);
      await this.#record();
    } catch (error) {
      this.#broken ??= { error };
    } finally {
      this.#inWork.delete(operatorUserId);
      this.onChange();
    }
  }

  #count(end: OperatorEnd): void {
    this.#counts[end.outcome] += 1;
    this.unrecorded.push(end);
    if (end.outcome !== 'complete' && this.#failures.length < MAX_SHOWN_FAILURES) this.#failures.push(end);
  }

  async #record(): Promise<void> {
    if (this.unrecorded.length < RECORD_TOGETHER) return;
    const ended = this.unrecorded.splice(0);
    try {
      await CancellationScope.nonCancellable(() => recordOperators({ runId: runId(), ended }));
    } catch (error) {
      // The audit row of the fleet is written with them.
      this.unrecorded.unshift(...ended);
      throw error;
    }
  }

  controlRuns(action: FleetUpdateName, request: ControlRequest): Promise<FleetControlResult> {
    return this.#inWork.control(action, request, ({ paused }) => action !== 'resume' || paused);
  }

  refusal(name: FleetUpdateName): string | undefined {
    if (this.phase === 'writing audit' || this.phase === 'done')
      return 'the fleet is ending: its audit is being written';
    if (this.#scope.consideredCancelled || this.control.cancelAsked) return 'the fleet is cancelled already';
    if (name === 'pause' && this.control.paused !== undefined) return 'the fleet is paused already';
    // A resume that a run did not answer can be repeated.
    const isPaused = this.control.paused !== undefined || this.#inWork.all.some(({ paused }) => paused);
    if (name === 'resume' && !isPaused) return 'the fleet is not paused';
    return undefined;
  }

  /**
   * Copies: a run that ends from here on is in `running`, and the next execution counts it. In a shared count
   * it would be counted by both.
   */
  #state({ planned, searchAttributes }: PlanFleetResult): FleetState {
    const { paused, interventions } = this.control;
    return {
      planned,
      ...(searchAttributes ? { searchAttributes } : {}),
      counts: { ...this.#counts },
      failures: [...this.#failures],
      ...(this.#after === undefined ? {} : { after: this.#after }),
      running: this.#inWork.all.flatMap(({ run, paused }) => (run === undefined ? [] : [{ ...run, paused }])),
      again: this.#inWork.withoutRun,
      unrecorded: [...this.unrecorded],
      ...(paused === undefined ? {} : { paused }),
      interventions: [...interventions],
    };
  }
}
