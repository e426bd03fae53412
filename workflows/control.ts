import {
  ApplicationFailure,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import {
  APPROVAL_SIGNAL,
  type ApprovalNotice,
  type ControlRequest,
  type ControlResult,
  type DocumentSelection,
  type Intervention,
  type UpdateName,
  UPDATES,
} from '../contract/control';
import { problemOfControl } from '../rules/control';
import { approvalPage } from '../rules/approval-page';
import { scopeOf } from '../contract/failures';
import { failureOf } from './failure-of';

/** What the saga does when somebody speaks to it; each resolves with how many documents it concerned. */
export interface ControlledRun extends Record<UpdateName, (asked: Intervention) => Promise<number>> {
  /** A sentence that says why nothing can be done any more or yet; undefined while it can. */
  refusal(name: UpdateName, selection: DocumentSelection): string | undefined;
}

/**
 * More than these are counted and not kept: the audit has room for a night's work, not for a script gone
 * wild.
 */
const MAX_INTERVENTIONS = 100;
/**
 * A bunker has at most some requests open; a page that is told again replaces the last one of the same
 * activity.
 */
const MAX_APPROVALS = 50;

/** The updates of a run, and what people have asked of it. */
export class Control {
  #approvals = new Map<string, string>();

  constructor(
    private readonly run: ControlledRun,
    /** Something that is shown has changed. */
    private readonly onChange: () => void,
    readonly interventions: Intervention[] = [],
  ) {}

  /**
   * To be called when the run is whole: an update that came with the first task of an execution is dealt with
   * at once, within this call.
   */
  listen(): void {
    for (const name of Object.keys(UPDATES) as UpdateName[]) this.#handle(name);
    setHandler(defineSignal<[ApprovalNotice]>(APPROVAL_SIGNAL), (notice) => this.#noteApproval(notice), {
      description: 'Sent by the activities of this run while their signer waits for a person',
    });
  }

  /** Pages on which a person has to approve before the signer answers. */
  get approvals(): string[] {
    return [...new Set(this.#approvals.values())];
  }

  /**
   * The activity has ended, and with it whatever its signer waited for: the notice of that may never come.
   */
  forgetApproval(of: string): void {
    this.#approvals.delete(of);
  }

  #noteApproval(notice: ApprovalNotice): void {
    // Anybody who may signal the workflow may send this; it is only shown.
    if (typeof notice?.of !== 'string') return;
    const page = typeof notice.approvalUrl === 'string' ? approvalPage(notice.approvalUrl) : undefined;
    if (page === undefined) this.#approvals.delete(notice.of);
    else if (this.#approvals.size < MAX_APPROVALS) this.#approvals.set(notice.of, page);
    this.onChange();
  }

  #handle(name: UpdateName): void {
    const update = defineUpdate<ControlResult, [ControlRequest | undefined]>(name);
    const validator = (request: ControlRequest | undefined): void => {
      const problem = problemOfControl(name, request) ?? this.run.refusal(name, request ?? {});
      if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'InvalidInput');
    };
    const handler = async (request: ControlRequest | undefined): Promise<ControlResult> => {
      const intervention = { action: name, at: new Date().toISOString(), ...present(request) };
      if (this.interventions.length < MAX_INTERVENTIONS) this.interventions.push(intervention);
      try {
        return { documents: await this.run[name](intervention) };
      } catch (error) {
        if (isCancellation(error)) throw error;
        const { type, message } = failureOf(error);
        // It named what is not there: nothing was done that the audit would have to tell.
        if (scopeOf(type) === 'caller' && this.interventions.includes(intervention))
          this.interventions.splice(this.interventions.indexOf(intervention), 1);
        throw ApplicationFailure.nonRetryable(message, type);
      } finally {
        this.onChange();
      }
    };
    setHandler(update, handler, { validator, description: UPDATES[name] });
  }
}

/** Without the keys that other languages send as null. */
export function present(
  request: Partial<Record<keyof DocumentSelection, string | undefined>> | undefined,
): DocumentSelection {
  return Object.fromEntries(Object.entries(request ?? {}).filter(([, value]) => value != null));
}
