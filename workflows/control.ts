import { defineSignal, setHandler } from '@temporalio/workflow';
import {
  APPROVAL_SIGNAL,
  type ApprovalNotice,
  type DocumentSelection,
  type Intervention,
  type UpdateName,
  UPDATES,
} from '../contract/control';
import { approvalPage } from '../rules/approval-page';
import { handleUpdates } from './updates';

/** What a run does for each update. Each resolves with the number of documents it concerned. */
export interface ControlledRun extends Record<UpdateName, (asked: Intervention) => Promise<number>> {
  /** Why the update is not possible now, as a sentence; undefined: it is possible. */
  refusal(name: UpdateName, selection: DocumentSelection): string | undefined;
}

/** A bunker has only a few requests open. A second notice of an activity replaces its first. */
const MAX_APPROVALS = 50;

/** Receives the updates of a run, and the notices of signers that wait for a person. */
export class Control {
  #approvals = new Map<string, string>();

  constructor(
    private readonly run: ControlledRun,
    /** Something that is shown has changed. */
    private readonly onChange: () => void,
    readonly interventions: Intervention[] = [],
  ) {}

  /** Call it when the run is complete: see `handleUpdates`. */
  listen(): void {
    handleUpdates({
      descriptions: UPDATES,
      refusal: (name, selection) => this.run.refusal(name, selection),
      perform: async (name, asked) => ({ documents: await this.run[name](asked) }),
      onChange: this.onChange,
      interventions: this.interventions,
    });
    setHandler(defineSignal<[ApprovalNotice]>(APPROVAL_SIGNAL), (notice) => this.#noteApproval(notice), {
      description: 'Sent by the activities of this run while their signer waits for a person',
    });
  }

  /** Pages on which a person must approve before the signer answers. */
  get approvals(): string[] {
    return [...new Set(this.#approvals.values())];
  }

  /** The activity has ended, so its signer waits no longer. The notice of that may never come. */
  forgetApproval(of: string): void {
    this.#approvals.delete(of);
  }

  #noteApproval(notice: ApprovalNotice): void {
    // Everybody who may signal the workflow can send this. It is only shown.
    if (typeof notice?.of !== 'string') return;
    const page = typeof notice.approvalUrl === 'string' ? approvalPage(notice.approvalUrl) : undefined;
    if (page === undefined) this.#approvals.delete(notice.of);
    else if (this.#approvals.size < MAX_APPROVALS) this.#approvals.set(notice.of, page);
    this.onChange();
  }
}
