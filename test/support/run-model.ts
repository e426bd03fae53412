import type {
  ChangedDocuments,
  LedgerView,
  LoadMachinesResult,
  PageResult,
  SweepResult,
} from '../../contract/activities';
import type { Failure } from '../../contract/failures';
import { type Next, Pages, type Step } from '../../rules/pages';
import { Tally } from '../../rules/tally';
import { MemoryLedger, type MemoryLedgerOptions } from './memory-ledger';

const TROUBLE: Failure = { type: 'SignerTimeout', message: 'no answer' };

type Page = Extract<Step, { do: 'republish' }>;
/** What an activity has brought, and the workflow has not been told yet. */
type Report = (() => void) | undefined;

type Happening = (choose: Choose) => void;

interface Task {
  step: Step;
  /** Its scope was cancelled. */
  mustGiveWay: boolean;
  report: Report;
}

interface Statement {
  name: 'resume' | 'retry' | 'skip';
  machineId: string | undefined;
  view: (LedgerView & Partial<ChangedDocuments>) | undefined;
}

export interface ModelOptions extends MemoryLedgerOptions {
  holds: boolean;
  /** A rule to be tried instead of the real one. */
  rule?: typeof Pages;
}

/** What chance has to say: a number below `limit`. */
export type Choose = (limit: number) => number;

/**
 * A run without Temporal: the rule says what is next, as in workflows/run.ts, and chance says what comes of
 * it, and in which order: attempts whose results are late or lost, failures, people who intervene, executions
 * that hand over.
 */
export class RunModel {
  readonly ledger: MemoryLedger;
  pages: Pages;
  tally = new Tally();
  tasks: Task[] = [];
  isCancelled = false;
  isPaused = false;
  hasEnded = false;
  executions = 1;
  /** What has ended last. */
  lastStep: Step['do'] | undefined;
  #statements: Statement[] = [];
  #isHistoryLong = false;
  /** Nothing fails any more, nobody intervenes, and what had failed is tried again. */
  #isHealed = false;
  #rule: typeof Pages;

  constructor(private readonly options: ModelOptions) {
    this.ledger = new MemoryLedger(options);
    this.#rule = options.rule ?? Pages;
    this.pages = new this.#rule(options.holds);
  }

  heal(): void {
    this.#isHealed = true;
  }

  /** The next thing that happens. */
  tick(choose: Choose): void {
    this.#begin();
    if (this.hasEnded) return;
    const work = this.#work();
    const intrusions = this.#intrusions();
    if (work.length + intrusions.length === 0)
      throw new Error(`nothing is in work, and it says ${this.pages.phase}`);
    // People are slow: what they ask for is nearly always done before they ask for more.
    const isIntrusion = work.length === 0 || (intrusions.length > 0 && choose(12) === 0);
    const happenings = isIntrusion ? intrusions : work;
    happenings[choose(happenings.length)]?.(choose);
    this.#begin();
  }

  get #next(): Next {
    const stopped = this.isPaused || this.#statements.length > 0;
    return this.pages.next({ cancelled: this.isCancelled, stopped, isHistoryLong: this.#isHistoryLong });
  }

  /** As the loop of the workflow does: all that can be begun. */
  #begin(): void {
    for (let steps = 0; steps < 1_000; steps += 1) {
      const next: Next = this.#next;
      switch (next.do) {
        case 'wait':
        case 'drain':
          return;
        case 'end':
        case 'hand over':
          // Handlers of updates are waited for first.
          if (this.#statements.length > 0) return;
          if (this.tasks.length > 0) throw new Error(`${next.do} while something is in work`);
          this.hasEnded = next.do === 'end';
          if (this.hasEnded) return;
          this.#handOver();
          break;
        default:
          this.#requireAllowed(next);
          this.pages.begin(next);
          this.tasks.push({ step: next, mustGiveWay: false, report: undefined });
      }
    }
    throw new Error('it begins for ever');
  }

  #requireAllowed(step: Step): void {
    const others = this.tasks.map((task) => task.step);
    if (step.do === 'republish') {
      if (others.some((other) => other.do === 'republish' && other.page === step.page))
        throw new Error(`page ${step.page} is in work twice`);
      if (others.some((other) => other.do !== 'republish'))
        throw new Error('a page beside a step that is alone');
      if (others.length >= this.ledger.opened.limits.pagesAtOnce) throw new Error('too many pages at once');
    } else if (
      step.do === 'prove signer' ? others.some((other) => other.do !== 'republish') : others.length > 0
    )
      throw new Error(`${step.do} beside ${others.map((other) => other.do).join()}`);
    if (this.isPaused) throw new Error(`${step.do} although the run is paused`);
  }

  #handOver(): void {
    this.executions += 1;
    this.#isHistoryLong = false;
    // A copy, as it goes over the wire; and nothing but that.
    this.tally = new Tally(structuredClone(this.tally.byType));
    this.pages = new this.#rule(this.options.holds, this.ledger.opened);
  }

  #work(): Happening[] {
    const [statement] = this.#statements;
    return [
      ...this.tasks.map((task) => (choose: Choose) => {
        if (task.report === undefined) task.report = this.#attempt(task, choose);
        else this.#tell(task);
      }),
      ...(statement === undefined || (statement.view === undefined && !this.#mayState(statement))
        ? []
        : [() => this.#state(statement)]),
    ];
  }

  #intrusions(): Happening[] {
    return [
      ...this.#people(),
      ...(this.#next.do === 'drain' ? [() => this.#giveWay('republish')] : []),
      ...(this.#isHealed ? [] : [() => void (this.#isHistoryLong = true)]),
    ];
  }

  #tell(task: Task): void {
    this.tasks = this.tasks.filter((other) => other !== task);
    task.report?.();
    this.lastStep = task.step.do;
    if (this.pages.endedBy !== undefined) this.#giveWay();
  }

  #attempt({ step, mustGiveWay }: Task, choose: Choose): Report {
    const fate = this.#isHealed ? 9 : choose(10);
    if (mustGiveWay && fate < 4) return () => this.pages.gaveWay(step);
    if (step.do === 'republish') return this.#attemptPage(step, fate, choose);
    if (fate === 0 && choose(4) === 0) return () => this.pages.failed(step, TROUBLE);
    // Its result is lost, and it is tried again.
    if (fate === 1) return undefined;
    switch (step.do) {
      case 'load machines': {
        const result: LoadMachinesResult = this.ledger.load(step.after, choose(2));
        return () => {
          this.pages.loaded(result);
          this.tally.know(result.opened.documentTypes);
          for (const [page, counts] of result.pages) this.tally.add(page, this.#typeOf(page), counts);
        };
      }
      case 'prove signer':
        return () => this.pages.proved();
      case 'read ledger': {
        const view = this.ledger.view();
        return () => void (this.pages.viewed(view) && this.tally.adopt(view));
      }
      case 'sweep': {
        const result = this.#sweep(step.blocked, fate, choose);
        return () => void (this.pages.swept(result) && this.tally.adopt(result));
      }
    }
  }

  #sweep(blocked: boolean, fate: number, choose: Choose): SweepResult {
    if (!blocked && this.ledger.open().length > 0) return { ...this.ledger.view(), swept: false };
    for (const document of this.ledger.documents) {
      if (document.outcome === 'published' && fate < 4 && choose(4) === 0)
        this.ledger.settle(document, 'failed', { type: 'DocumentLost', message: 'vanished' });
    }
    const failure: Failure = { type: 'OperatorNotFound', message: 'the account has another key' };
    return { ...this.ledger.view(), swept: true, ...(fate === 4 && choose(3) === 0 ? { failure } : {}) };
  }

  #attemptPage(step: Page, fate: number, choose: Choose): Report {
    const { page } = step;
    const say = (more: Partial<PageResult> = {}): Report => {
      const result = { ...this.ledger.pageResult(page), ...more };
      return () => {
        this.tally.replace(page, this.#typeOf(page), result.counts);
        this.pages.returned(page, result);
      };
    };
    if (fate === 0) return say({ unproven: true });
    if (fate === 1) {
      this.ledger.fail(page, TROUBLE);
      return say({ cause: TROUBLE });
    }
    if (fate === 2)
      return () => {
        if (this.isCancelled || this.pages.isOpenedAgain(page)) return this.pages.gaveWay(step);
        this.ledger.fail(page, TROUBLE);
        say()?.();
      };
    let stood = false;
    for (const document of this.ledger.open(page)) {
      const end = this.#isHealed ? 0 : choose(4);
      if (end === 0) {
        this.ledger.settle(document, 'published');
        stood = true;
      }
      if (end === 1) this.ledger.settle(document, 'failed', TROUBLE);
    }
    // Thrown as passing, or lost with its worker: Temporal tries again.
    return fate < 5 ? undefined : say(stood ? { stood } : {});
  }

  /** What people may do, as far as the run takes it. */
  #people(): Happening[] {
    if (this.isCancelled) return [];
    const ask = (name: Statement['name'], machineId?: string): void => {
      this.#statements.push({ name, machineId, view: undefined });
    };
    const resume = (): void => {
      this.isPaused = false;
      if (this.pages.isLoaded) ask('resume');
    };
    const retry = (): void => {
      if (this.pages.isLoaded) ask('retry');
      else this.pages.unblock();
    };
    if (this.#isHealed) {
      if (this.isPaused) return [resume];
      return this.pages.phase === 'holding' && this.#statements.length === 0 ? [retry] : [];
    }
    const skip = (choose: Choose): void =>
      ask('skip', this.ledger.machines[choose(this.ledger.machines.length)]);
    return [
      this.isPaused
        ? resume
        : () => {
            this.isPaused = true;
            this.#giveWay('republish');
          },
      ...(this.pages.isLoaded || this.pages.phase === 'holding' ? [retry] : []),
      ...(this.pages.isLoaded ? [skip] : []),
      (choose) => {
        // Seldom, since it ends the run.
        if (choose(10) !== 0) return;
        this.isCancelled = true;
        this.#giveWay();
      },
    ];
  }

  #mayState({ name }: Statement): boolean {
    // Told at once: what is in work gives way before it is waited for.
    if (name === 'skip') this.#giveWay('republish', 'sweep');
    return name === 'retry' || this.pages.isStill;
  }

  #state(statement: Statement): void {
    const { name, machineId, view } = statement;
    const selection = machineId === undefined ? {} : { machineId };
    if (view === undefined) {
      if (name === 'resume') statement.view = this.ledger.view();
      else statement.view = name === 'retry' ? this.ledger.retry(selection) : this.ledger.skip(selection);
      return;
    }
    if (name === 'retry') {
      this.pages.unblock();
      this.#giveWay('republish', 'sweep');
    }
    this.pages.changed(view);
    this.tally.adopt(view);
    this.#statements.shift();
  }

  #giveWay(...kinds: Step['do'][]): void {
    for (const task of this.tasks)
      if (kinds.length === 0 || kinds.includes(task.step.do)) task.mustGiveWay = true;
  }

  #typeOf(page: number): string {
    return this.ledger.opened.documentTypes[page % this.ledger.opened.documentTypes.length] ?? '';
  }
}
