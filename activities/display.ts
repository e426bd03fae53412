import type { Context } from '@temporalio/activity';
import type { HeartbeatDetails } from '../contract/activities';
import { APPROVAL_SIGNAL, type ApprovalNotice } from '../contract/control';
import type { ApprovalNotices } from './approval-notices';

/** Most documents that a list of waiting documents names. */
export const MAX_SHOWN = 20;

/**
 * Shows what an activity does: in each heartbeat, and in a signal to its run when a person has to approve.
 */
export class Display {
  #details: () => HeartbeatDetails = () => ({});
  /** Approval pages, with how many requests of this activity wait for each. */
  #approvals = new Map<string, number>();

  constructor(
    private readonly context: Context,
    private readonly notices: ApprovalNotices,
  ) {}

  show(): void {
    const approvals = this.#approvals.size === 0 ? {} : { approvals: [...this.#approvals.keys()] };
    const details: HeartbeatDetails = { ...this.#details(), ...approvals };
    this.context.heartbeat(details);
  }

  showAlso(details: () => HeartbeatDetails): void {
    this.#details = details;
    // An attempt may end before the first heartbeat. Its page is shown all the same.
    this.show();
  }

  /**
   * Makes a listener for one request: called with the page that it waits for, and with undefined after that.
   */
  approvalListener(): (url: string | undefined) => void {
    let waitsAt: string | undefined;
    return (url) => {
      if (waitsAt !== undefined) this.#closed(waitsAt);
      waitsAt = url;
      if (url !== undefined) this.#opened(url);
    };
  }

  end(): void {
    this.#details = () => ({});
    for (const url of [...this.#approvals.keys()]) {
      this.#approvals.delete(url);
      this.#signalRun(this.notices.closed(this.#runId, this.#of, url));
    }
  }

  #opened(url: string): void {
    const before = this.#approvals.get(url) ?? 0;
    this.#approvals.set(url, before + 1);
    if (before > 0) return;
    this.show();
    this.#signalRun(this.notices.opened(this.#runId, this.#of, url));
  }

  #closed(url: string): void {
    const left = (this.#approvals.get(url) ?? 0) - 1;
    if (left > 0) return void this.#approvals.set(url, left);
    if (!this.#approvals.delete(url)) return;
    this.show();
    this.#signalRun(this.notices.closed(this.#runId, this.#of, url));
  }

  get #runId(): string {
    return this.context.info.workflowExecution?.runId ?? '';
  }

  get #of(): string {
    return this.context.info.activityId;
  }

  /**
   * For the workflow's current details. It is only for display: a signal that fails must not hold up the
   * documents, and the heartbeat shows the page too.
   */
  #signalRun(notice: ApprovalNotice | undefined): void {
    const execution = this.context.info.workflowExecution;
    if (notice === undefined || execution === undefined) return;
    const { client } = this.context;
    const signal = async (): Promise<void> =>
      client.workflow.getHandle(execution.workflowId, execution.runId).signal(APPROVAL_SIGNAL, notice);
    signal().catch(() => undefined);
  }
}
