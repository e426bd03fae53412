import type {
  LedgerView,
  LoadMachinesResult,
  MachineCursor,
  OpenedRun,
  PageResult,
  SweepResult,
} from '../contract/activities';
import type { Failure } from '../contract/failures';
import type { Phase } from '../contract/progress';

/**
 * What a run does next. Several pages are in work at the same time. Every other step is the only one of its
 * kind; pages that are already in work continue.
 */
export type Step =
  | { do: 'load machines'; after: MachineCursor | undefined }
  | { do: 'prove signer' }
  /** Asks the ledger which pages have open documents. */
  | { do: 'read ledger' }
  | { do: 'republish'; page: number }
  /** `blocked`: no further page is begun, so that documents stay open. */
  | { do: 'sweep'; blocked: boolean };

/**
 * `wait`: until a step in work ends, or a control comes. `drain`: the same, and the pages in work are asked
 * to yield.
 */
export type Next = Step | { do: 'wait' | 'drain' | 'hand over' | 'end' };

/** What the workflow knows beyond the pages. */
export interface Circumstances {
  cancelled: boolean;
  /** Paused, or a control is being carried out. */
  stopped: boolean;
  /** The history is long: the run should continue as new. */
  isHistoryLong: boolean;
}

const MAX_USELESS_PROOFS = 5;

const SIGNERS_DIFFER: Failure = {
  type: 'SignerNotConfigured',
  message:
    'the signer is proved again and again, and each time another worker uses another signer: set REPUBLISH_SIGNERS alike on all workers of this queue and restart them; no signer has to be paired',
};

interface PageInWork {
  /** Documents of the page were opened again: the page goes out once more, with any result. */
  again: boolean;
  /** How often the signer had been proved when it was begun. */
  proofs: number;
}

/**
 * Which pages of a run have open documents, which are in work, and what the run does next: a state machine
 * without I/O. It knows pages, never documents. Only the ledger knows what is open: by the counts of a page,
 * or by a view of the whole run.
 */
export class Pages {
  #isLoaded: boolean;
  #nextMachines: MachineCursor | undefined;
  #pagesAtOnce = 1;
  #pagesPerExecution = Infinity;
  /** Pages that wait for their turn, in the order of their turns. */
  #queue: number[] = [];
  #inWork = new Map<number, PageInWork>();
  /** The step in work that is no page. `outdated`: a control changed the ledger since the step began. */
  #alone: { step: Step; outdated: boolean } | undefined;
  #isLedgerRead: boolean;
  #mustProve = false;
  #proofs = 0;
  /** Proofs in a row after which a page still was `unproven`. */
  #uselessProofs = 0;
  /** Pages that this execution has begun; a page that is begun again counts again. */
  #begun = 0;
  /** The sweep has looked at all documents since the last page ended. */
  #isSwept = false;
  #hasFailed = false;
  #blocked: { failure: Failure; by: 'page' | 'step' } | undefined;
  #endedBy: Failure | undefined;

  /** @param opened by an earlier execution of the run, which has loaded all machines */
  constructor(
    private readonly holds: boolean,
    opened?: OpenedRun,
  ) {
    this.#isLoaded = opened !== undefined;
    this.#isLedgerRead = opened === undefined;
    if (opened !== undefined) this.#keepTo(opened);
  }

  next({ cancelled, stopped, isHistoryLong }: Circumstances): Next {
    if (cancelled || this.#endedBy !== undefined) return { do: this.#isIdle ? 'end' : 'wait' };
    const page = this.#blocked === undefined ? this.#queue[0] : undefined;
    // A run may hold for weeks: it continues as new only if it must.
    const mustHandOver = isHistoryLong || (page !== undefined && this.#begun >= this.#pagesPerExecution);
    if (mustHandOver && this.#isLoaded && this.#isIdle && (this.#isHolding || page !== undefined))
      return { do: 'hand over' };
    if (stopped || this.#alone !== undefined || this.#isHolding) return { do: 'wait' };
    if (!this.#isLoaded) return { do: 'load machines', after: this.#nextMachines };
    if (!this.#isLedgerRead) return { do: 'read ledger' };
    if (page !== undefined) {
      if (mustHandOver) return { do: 'drain' };
      if (this.#mustProve) return { do: 'prove signer' };
      return this.#inWork.size < this.#pagesAtOnce ? { do: 'republish', page } : { do: 'wait' };
    }
    if (!this.#isIdle) return { do: 'wait' };
    return this.#isSwept ? { do: 'end' } : { do: 'sweep', blocked: this.#queue.length > 0 };
  }

  get phase(): Phase {
    if (this.#isHolding) return 'holding';
    if (!this.#isLoaded) return 'loading machines';
    if (this.#alone?.step.do === 'prove signer') return 'proving signer';
    return this.#alone?.step.do === 'sweep' ? 'sweeping' : 'publishing';
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The sweep has looked at all documents since the last page ended. */
  get isSwept(): boolean {
    return this.#isSwept;
  }

  get inWork(): number {
    return this.#inWork.size;
  }

  /** No step in work writes outcomes: the ledger does not change until a control or a new step. */
  get isStill(): boolean {
    return this.#inWork.size === 0 && (this.#alone === undefined || this.#alone.step.do === 'prove signer');
  }

  /** Why no further page is begun, or why a run holds. */
  get blocked(): Failure | undefined {
    const blocksNothing = this.#blocked?.by === 'page' && this.#queue.length === 0 && this.#inWork.size === 0;
    return blocksNothing ? undefined : this.#blocked?.failure;
  }

  /** What ended the run before its documents. */
  get endedBy(): Failure | undefined {
    return this.#endedBy;
  }

  begin(step: Step): void {
    if (step.do !== 'republish') {
      this.#alone = { step, outdated: false };
      return;
    }
    this.#queue = this.#queue.filter((page) => page !== step.page);
    this.#inWork.set(step.page, { again: false, proofs: this.#proofs });
    this.#begun += 1;
    this.#isSwept = false;
  }

  loaded({ opened, pages, toSign, next }: LoadMachinesResult): void {
    this.#alone = undefined;
    this.#keepTo(opened);
    this.#nextMachines = next;
    this.#isLoaded = next === undefined;
    this.#mustProve ||= toSign > 0;
    for (const [page, { open = 0 }] of pages) if (open > 0) this.#queue.push(page);
  }

  proved(): void {
    this.#alone = undefined;
    this.#mustProve = false;
    this.#proofs += 1;
  }

  returned(page: number, { counts, unproven, stood, cause }: PageResult): void {
    const work = this.#inWork.get(page);
    this.#inWork.delete(page);
    if (work?.again || (counts.open ?? 0) > 0) this.#queue.push(page);
    // A page that was begun before the last proof may not have seen it.
    if (unproven && work?.proofs === this.#proofs) this.#proveAgain();
    else if (stood) this.#uselessProofs = 0;
    if (stood && this.#blocked?.by === 'page') this.#blocked = undefined;
    if (cause !== undefined) this.#blocked ??= { failure: cause, by: 'page' };
  }

  /** @returns false if a control has brought a newer view since */
  viewed(view: LedgerView): boolean {
    const isOutdated = this.#alone?.outdated === true;
    this.#alone = undefined;
    if (!isOutdated) this.#adopt(view);
    return !isOutdated;
  }

  /** @returns as `viewed` */
  swept(result: SweepResult): boolean {
    if (!this.viewed(result)) return false;
    if (result.failure !== undefined) this.#fail(result.failure);
    // A run that ends with this failure was swept all the same. A run that holds for it is swept again.
    this.#isSwept = result.swept && this.#blocked?.by !== 'step';
    return true;
  }

  /** The step was cancelled: the next look at the ledger finds what it left. */
  gaveWay(step: Step): void {
    if (step.do !== 'republish') this.#alone = undefined;
    else if (this.#inWork.delete(step.page)) this.#queue.push(step.page);
  }

  /** Whether documents of a page in work were opened again: then the page's failure is not theirs. */
  isOpenedAgain(page: number): boolean {
    return this.#inWork.get(page)?.again === true;
  }

  failed(step: Step, failure: Failure): void {
    this.gaveWay(step);
    this.#fail(failure);
  }

  /** A person retries everything, also the step that failed. */
  unblock(): void {
    this.#blocked = undefined;
  }

  /** A control has changed the ledger; `view` is how it is now. */
  changed(view: LedgerView): void {
    if (this.#alone !== undefined) this.#alone.outdated = true;
    this.#adopt(view);
    if (!this.#isOpen) {
      this.#blocked = undefined;
      this.#mustProve = false;
    }
    // While failures are left the run keeps holding; before it ends, the sweep looks at everything again.
    this.#isSwept &&= !this.#isOpen && this.#hasFailed;
  }

  get #isOpen(): boolean {
    return this.#queue.length > 0 || this.#inWork.size > 0;
  }

  /**
   * Workers with different configurations would prove one signer and then ask for another one, for ever.
   */
  #proveAgain(): void {
    if (this.#mustProve) return;
    this.#mustProve = true;
    if (this.#proofs > 0) this.#uselessProofs += 1;
    if (this.#uselessProofs > MAX_USELESS_PROOFS) this.#fail(SIGNERS_DIFFER);
  }

  get #isIdle(): boolean {
    return this.#inWork.size === 0 && this.#alone === undefined;
  }

  get #isHolding(): boolean {
    if (!this.holds || !this.#isIdle) return false;
    if (this.#blocked !== undefined && (this.#blocked.by === 'step' || this.#queue.length > 0)) return true;
    return this.#isSwept && this.#hasFailed;
  }

  #keepTo({ limits }: OpenedRun): void {
    this.#pagesAtOnce = limits.pagesAtOnce;
    this.#pagesPerExecution = limits.pagesPerExecution;
  }

  #adopt({ pages, counts }: LedgerView): void {
    const open = new Set(pages.map(([page]) => page));
    for (const [page, work] of this.#inWork) if (open.delete(page)) work.again = true;
    this.#queue = [...this.#queue.filter((page) => open.delete(page)), ...open];
    this.#hasFailed = Object.values(counts).some(({ failed = 0 }) => failed > 0);
    this.#isLedgerRead = true;
  }

  #fail(failure: Failure): void {
    this.#isSwept = false;
    if (this.holds && failure.type !== 'InvalidInput') this.#blocked = { failure, by: 'step' };
    else this.#endedBy = failure;
  }
}
