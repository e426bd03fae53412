import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  defineSignal,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import {
  APPROVAL_SIGNAL,
  type ApprovalNotice,
  type ControlRequest,
  type ControlResult,
  type DocumentSelection,
  type Intervention,
  problemOfControl,
  type UpdateName,
  UPDATES,
} from '../contract/control';

/** What the saga does when somebody speaks to it. */
export interface ControlledRun {
  /** A sentence that says why nothing can be done any more or yet; undefined while it can. */
  refusal(name: UpdateName, selection: DocumentSelection): string | undefined;
  retry(selection: DocumentSelection): Promise<number>;
  skip(selection: DocumentSelection): Promise<number>;
  cancel(): Promise<void>;
  /** Something that is shown has changed. */
  onChange(): void;
}

/** More than these are counted and not kept: the audit has room for a night's work, not for a script gone wild. */
const MAX_INTERVENTIONS = 100;
/** A bunker has at most some requests open; a page that is told again replaces the last one of the same document. */
const MAX_APPROVALS = 50;

/** The updates of a run, and what people have asked of it. */
export class Control {
  paused: Intervention | undefined;
  readonly interventions: Intervention[];
  #approvals = new Map<string, string>();

  constructor(
    private readonly run: ControlledRun,
    carried: { paused?: Intervention; interventions: Intervention[] } = { interventions: [] },
  ) {
    this.paused = carried.paused;
    this.interventions = carried.interventions;
  }

  /**
   * To be called when the run is whole: an update that came with the first task of an execution is dealt with at once, within
   * this call.
   */
  listen(): void {
    this.#handle('pause', (intervention) => {
      this.paused ??= intervention;
      return 0;
    });
    this.#handle('resume', () => {
      this.paused = undefined;
      return 0;
    });
    this.#handle('retry', (selection) => this.run.retry(selection));
    this.#handle('skip', (selection) => this.run.skip(selection));
    this.#handle('cancel', async () => {
      await this.run.cancel();
      return 0;
    });
    setHandler(defineSignal<[ApprovalNotice]>(APPROVAL_SIGNAL), (notice) => this.#noteApproval(notice), {
      description: 'Sent by the activities of this run while their signer waits for a person',
    });
  }

  /** Pages on which a person has to approve before the signer answers. */
  get approvals(): string[] {
    return [...new Set(this.#approvals.values())];
  }

  /** The document has ended, and with it whatever its signer waited for: the notice of that may never come. */
  forgetApproval(of: string): void {
    this.#approvals.delete(of);
  }

  /** Resolves when documents may be begun, or when `orElse` holds. Rejects when the run is cancelled meanwhile. */
  async untilResumed(orElse: () => boolean = () => false): Promise<void> {
    if (this.paused !== undefined) await condition(() => this.paused === undefined || orElse());
  }

  /** Resolves when no update is in work any more: what it changes belongs into the audit. */
  async untilIdle(): Promise<void> {
    if (!allHandlersFinished()) await condition(allHandlersFinished);
  }

  #noteApproval(notice: ApprovalNotice): void {
    // Anybody who may signal the workflow may send this; it is only shown.
    if (typeof notice?.of !== 'string') return;
    if (typeof notice.approvalUrl !== 'string') this.#approvals.delete(notice.of);
    else if (/^https?:/.test(notice.approvalUrl) && this.#approvals.size < MAX_APPROVALS)
      this.#approvals.set(notice.of, notice.approvalUrl.slice(0, 2_000));
    this.run.onChange();
  }

  #handle(name: UpdateName, act: (intervention: Intervention) => number | Promise<number>): void {
    const update = defineUpdate<ControlResult, [ControlRequest | undefined]>(name);
    const validator = (request: ControlRequest | undefined): void => {
      const problem = problemOfControl(name, request) ?? this.run.refusal(name, request ?? {});
      if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'InvalidInput');
    };
    const handler = async (request: ControlRequest | undefined): Promise<ControlResult> => {
      const intervention = { action: name, at: new Date().toISOString(), ...present(request) };
      if (this.interventions.length < MAX_INTERVENTIONS) this.interventions.push(intervention);
      const documents = await act(intervention);
      this.run.onChange();
      return { documents };
    };
    setHandler(update, handler, { validator, description: UPDATES[name] });
  }
}

/** Without the keys that other languages send as null. */
export function present(request: DocumentSelection | undefined): DocumentSelection {
  return Object.fromEntries(Object.entries(request ?? {}).filter(([, value]) => value != null));
}
