import {
  CancellationScope,
  condition,
  defineQuery,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ControlRequest, Intervention } from '../../contract/control';
import {
  DEFAULT_OPERATORS_AT_ONCE,
  type FleetInput,
  type FleetPhase,
  type FleetProgress,
  type FleetUpdateName,
  noOperators,
  type OperatorCounts,
  type OperatorEnd,
  requestOf,
} from '../../contract/fleet';
import type { OperatorRun, PlanFleetResult } from '../../contract/fleet-activities';
import { fairnessKeyOf, PROGRESS_QUERY, WORKFLOW_TYPE, workflowIdFor } from '../../contract/names';
import { endOfFailedRun } from '../../contract/run-end';
import type { republishOperatorConfigs } from '../republish-operator-configs';
import { followRun, loadOperators, recordOperators, speakToRuns } from './activities';
import { FleetControl, type ControlledFleet } from './control';
import { fleetDetails } from './details';

const OPERATORS_PER_PAGE = 500;
/** Ends that wait to be written together: an activity for each would double the fleet's history. */
const RECORD_TOGETHER = 50;
const MAX_SHOWN_FAILURES = 50;
const MAX_SHOWN_AT_WORK = 20;

/** What one execution of a fleet hands to the next. */
export interface FleetState extends PlanFleetResult {
  counts: OperatorCounts;
  failures: OperatorEnd[];
  /** The last operator who was begun. */
  after?: string;
  /** Runs that go on. The next execution cannot be their parent any more; it follows them. */
  running: CarriedRun[];
  /** Operators whose own turn waits for the end of a run that somebody else had started. */
  again: string[];
  /** Operators who ended and are not written down yet. */
  unrecorded: OperatorEnd[];
  paused?: Intervention;
  interventions: Intervention[];
}

interface CarriedRun extends OperatorRun {
  paused: boolean;
}

interface InWork {
  /** Absent until it has begun, and where it is somebody else's run that is waited for. */
  run?: OperatorRun;
  /** Begun by an earlier execution, and so no child of this one. */
  adopted?: true;
  /** By this fleet, and not by somebody who paused only this operator. */
  paused: boolean;
}

const progressQuery = defineQuery<FleetProgress>(PROGRESS_QUERY);

/** One execution of a fleet: whose turn it is, whose runs go on, and what is shown of that. */
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
  #inWork = new Map<string, InWork>();
  #telling: Promise<unknown> = Promise.resolve();
  #recording = 0;
  #starting = 0;
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
  }

  progress(): FleetProgress {
    const { paused } = this.control;
    const running = this.#inWork.size;
    const { complete, incomplete, failed, cancelled } = this.#counts;
    return {
      phase: this.phase,
      cancelling: this.#scope.consideredCancelled || this.control.cancelAsked,
      ...(paused === undefined ? {} : { paused }),
      planned: this.#planned,
      waiting: this.#planned - running - complete - incomplete - failed - cancelled,
      operators: this.#counts,
      atWork: [...this.#inWork.keys()].slice(0, MAX_SHOWN_AT_WORK),
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
   * Gives every operator a turn, so many at once. Resolves when all have ended, or with what the next execution has to know
   * when the history has grown enough. Rejects when the fleet is cancelled, after the runs that were in work have ended.
   */
  async work(plan: PlanFleetResult): Promise<FleetState | undefined> {
    this.#planned = plan.planned;
    this.enter('running');
    for (const { paused, ...run } of this.carried?.running ?? [])
      void this.#take(run.operatorUserId, { run, paused, adopted: true }, () => this.#followOwn(run));
    for (const operator of this.carried?.again ?? []) this.#giveTurn(operator);
    try {
      await this.#beginAll();
      await condition(() => this.#inWork.size === 0 || this.#mustContinue());
      if (this.#inWork.size > 0) {
        await this.control.untilIdle();
        await condition(() => this.#starting === 0 && this.#recording === 0);
        return this.#state(plan);
      }
    } catch (error) {
      await CancellationScope.nonCancellable(() => this.#untilEnded(isCancellation(error)));
      throw error;
    }
    if (this.#broken !== undefined) throw this.#broken.error;
    return undefined;
  }

  async #untilEnded(cancelled: boolean): Promise<void> {
    if (cancelled) {
      // Children are cancelled with their parent; those of an earlier execution have none.
      const adopted = [...this.#inWork.values()].flatMap((each) =>
        each.adopted && each.run ? [each.run] : [],
      );
      await this.#inTurn(() => this.#speak('cancel', adopted, {})).catch(() => undefined);
    }
    await condition(() => this.#inWork.size === 0);
  }

  async #beginAll(): Promise<void> {
    const atOnce = this.request.operatorsAtOnce ?? DEFAULT_OPERATORS_AT_ONCE;
    const mayNotBegin = (): boolean =>
      this.#mustContinue() || this.#broken !== undefined || this.control.cancelAsked;
    const hasRoom = (): boolean => this.#inWork.size < atOnce && this.control.paused === undefined;
    for (;;) {
      await condition(() => mayNotBegin() || hasRoom());
      if (mayNotBegin()) return;
      if (this.#page.length === 0) {
        if (this.#allLoaded) return;
        // It takes its time, and somebody may have paused meanwhile.
        await this.#loadPage();
        continue;
      }
      const operator = this.#page.shift() ?? '';
      this.#after = operator;
      this.#giveTurn(operator);
    }
  }

  #giveTurn(operatorUserId: string): void {
    void this.#take(operatorUserId, { paused: false }, (inWork) => this.#republish(operatorUserId, inWork));
  }

  async #loadPage(): Promise<void> {
    const page = await loadOperators({
      runId: fleetId(),
      ...(this.#after === undefined ? {} : { after: this.#after }),
      limit: OPERATORS_PER_PAGE,
    });
    this.#page = page.operators;
    this.#allLoaded = page.next === undefined;
  }

  /** Works on an operator and counts how it ended. Never rejects: what breaks here breaks the fleet, in `work`. */
  async #take(
    operatorUserId: string,
    inWork: InWork,
    work: (inWork: InWork) => Promise<OperatorEnd | undefined>,
  ): Promise<void> {
    this.#inWork.set(operatorUserId, inWork);
    this.onChange();
    try {
      const end = await work(inWork);
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
    this.#recording += 1;
    try {
      await CancellationScope.nonCancellable(() => recordOperators({ runId: fleetId(), ended }));
    } finally {
      this.#recording -= 1;
    }
  }

  /** @returns undefined when the fleet was cancelled before the operator's run began */
  async #republish(operatorUserId: string, inWork: InWork): Promise<OperatorEnd | undefined> {
    const request = requestOf(this.request, operatorUserId);
    for (;;) {
      try {
        const child = await this.#start(operatorUserId);
        const run = { operatorUserId, runId: child.firstExecutionRunId };
        inWork.run = run;
        if (this.control.paused !== undefined) void this.#pauseLate(inWork).catch(() => undefined);
        try {
          await child.result();
          return { ...run, outcome: 'complete' };
        } catch (error) {
          return { ...run, ...endOfFailedRun(error) };
        }
      } catch (error) {
        if (isCancellation(error)) return undefined;
        if (!isRunningAlready(error)) throw error;
      }
      try {
        // Somebody else's run: it is neither paused nor cancelled with the fleet. If it was asked the same, it is as good
        // as ours; if not, ours comes after it.
        const { same, end } = await followRun({ operatorUserId, request });
        if (same) return end;
      } catch (error) {
        if (isCancellation(error)) return undefined;
        throw error;
      }
    }
  }

  async #start(operatorUserId: string) {
    this.#starting += 1;
    try {
      return await startChild<typeof republishOperatorConfigs>(WORKFLOW_TYPE, {
        // The id of a single start: so neither begins beside the other.
        workflowId: workflowIdFor(operatorUserId),
        args: [requestOf(this.request, operatorUserId)],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        // A fleet that is terminated, or continues as new, leaves its runs what they are: sagas that finish by themselves
        // and write their audits. A new fleet follows them.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        priority: { fairnessKey: fairnessKeyOf(operatorUserId) },
        staticSummary: `Republish the configuration documents of operator ${operatorUserId} (fleet)`,
        ...(this.request.reason ? { memo: { reason: this.request.reason } } : {}),
      });
    } finally {
      this.#starting -= 1;
    }
  }

  /** A run that an earlier execution began. It is waited for also when the fleet is cancelled, as a child would be. */
  async #followOwn(run: OperatorRun): Promise<OperatorEnd> {
    const request = requestOf(this.request, run.operatorUserId);
    const { end } = await CancellationScope.nonCancellable(() => followRun({ ...run, request }));
    return end;
  }

  /** It began while the runs were being paused. */
  async #pauseLate({ run }: InWork): Promise<void> {
    const { paused } = this.control;
    if (run === undefined || paused === undefined) return;
    await this.#inTurn(() =>
      this.control.paused === undefined ? Promise.resolve(0) : this.#speak('pause', [run], paused),
    );
  }

  tell(action: FleetUpdateName, request: ControlRequest): Promise<number> {
    return this.#inTurn(() => {
      const runs = [...this.#inWork.values()].flatMap(({ run, paused }) =>
        run !== undefined && (action !== 'resume' || paused) ? [run] : [],
      );
      return this.#speak(action, runs, request);
    });
  }

  async #speak(
    action: FleetUpdateName,
    runs: OperatorRun[],
    { by, reason }: ControlRequest,
  ): Promise<number> {
    if (runs.length === 0) return 0;
    const said = { ...(by == null ? {} : { by }), ...(reason == null ? {} : { reason }) };
    const { taken } = await CancellationScope.nonCancellable(() => speakToRuns({ action, runs, ...said }));
    for (const operatorUserId of taken) {
      const inWork = this.#inWork.get(operatorUserId);
      if (inWork !== undefined) inWork.paused = action === 'pause';
    }
    return taken.length;
  }

  /** One after the other: a resume must not overtake the pause before it. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#telling.then(work);
    this.#telling = turn.catch(() => undefined);
    return turn;
  }

  refusal(name: FleetUpdateName): string | undefined {
    if (this.phase === 'writing audit' || this.phase === 'done')
      return 'the fleet is ending: its audit is being written';
    if (this.#scope.consideredCancelled || this.control.cancelAsked) return 'the fleet is cancelled already';
    if (name === 'pause' && this.control.paused !== undefined) return 'the fleet is paused already';
    if (name === 'resume' && this.control.paused === undefined) return 'the fleet is not paused';
    return undefined;
  }

  #mustContinue(): boolean {
    return this.#broken === undefined && workflowInfo().continueAsNewSuggested;
  }

  #state(plan: PlanFleetResult): FleetState {
    const { paused, interventions } = this.control;
    return {
      ...plan,
      counts: this.#counts,
      failures: this.#failures,
      ...(this.#after === undefined ? {} : { after: this.#after }),
      running: [...this.#inWork.values()].flatMap(({ run, paused }) =>
        run === undefined ? [] : [{ ...run, paused }],
      ),
      again: [...this.#inWork].flatMap(([operator, { run }]) => (run === undefined ? [operator] : [])),
      unrecorded: this.unrecorded,
      ...(paused === undefined ? {} : { paused }),
      interventions,
    };
  }
}

/** By name: the SDK throws it in workflows, and exports it only to clients. */
function isRunningAlready(error: unknown): boolean {
  return error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError';
}

/** The ledger key of the fleet: it stays across continue-as-new. */
export function fleetId(): string {
  return workflowInfo().firstExecutionRunId;
}
