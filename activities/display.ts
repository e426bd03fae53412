import type { Context } from '@temporalio/activity';
import type { HeartbeatDetails } from '../contract/activities';
import { APPROVAL_SIGNAL, type ApprovalNotice } from '../contract/control';
import type { ApprovalNotices } from './approval-notices';

/** What an activity shows of itself while it goes on: with each heartbeat, and to its run where a person has to approve. */
export class Display {
  #details: () => HeartbeatDetails = () => ({});
  /** Pages that are shown, with how many questions of this activity wait for each. */
  #approvals: string | undefined;

  constructor(
    private readonly context: Context,
    private readonly notices: ApprovalNotices,
  ) {}

  show(): void {
    const approvals = this.#approvals === undefined ? {} : { approvals: [this.#approvals] };
    const details: HeartbeatDetails = { ...this.#details(), ...approvals };
    this.context.heartbeat(details);
  }

  showAlso(details: () => HeartbeatDetails): void {
    this.#details = details;
  }

  onApproval(url: string | undefined): void {
    if (url === this.#approvals) return;
    if (this.#approvals !== undefined) this.#tellRun(this.notices.closed(this.#runId, this.#of, this.#approvals));
    this.#approvals = url;
    this.show();
    if (url !== undefined) this.#tellRun(this.notices.opened(this.#runId, this.#of, url));
  }

  end(): void {
    this.#details = () => ({});
    if (this.#approvals !== undefined) this.onApproval(undefined);
  }

  get #runId(): string {
    return this.context.info.workflowExecution?.runId ?? '';
  }

  get #of(): string {
    return this.context.info.activityId;
  }

  /**
   * For the workflow's current details. Only a display: a signal that does not arrive must not hold up the documents, and the
   * heartbeat shows the page too.
   */
  #tellRun(notice: ApprovalNotice | undefined): void {
    const execution = this.context.info.workflowExecution;
    if (notice === undefined || execution === undefined) return;
    const { client } = this.context;
    const tell = async (): Promise<void> =>
      client.workflow.getHandle(execution.workflowId, execution.runId).signal(APPROVAL_SIGNAL, notice);
    tell().catch(() => undefined);
  }
}
