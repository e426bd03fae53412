import type { ApprovalNotice } from '../contract/control';

/**
 * The signals that a signer waits for a person. Many documents of a run wait for the same approval page. Only
 * the first of them sends a signal to the run: more signals would only fill the history.
 */
export class ApprovalNotices {
  /** By run and approval page: the activity that has sent the signal. */
  #sentBy = new Map<string, string>();

  /** @returns the signal for the run; undefined: the run has it already */
  opened(runId: string, of: string, approvalUrl: string): ApprovalNotice | undefined {
    const key = `${runId} ${approvalUrl}`;
    if (this.#sentBy.has(key)) return undefined;
    this.#sentBy.set(key, of);
    return { of, approvalUrl };
  }

  /** The activity `of` no longer waits for its page, or its attempt is over. */
  closed(runId: string, of: string, approvalUrl: string): ApprovalNotice | undefined {
    const key = `${runId} ${approvalUrl}`;
    if (this.#sentBy.get(key) !== of) return undefined;
    this.#sentBy.delete(key);
    return { of };
  }
}
