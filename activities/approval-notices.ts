import type { ApprovalNotice } from '../contract/control';

/**
 * Tells a run that its signer waits for a person. Many documents of a run wait for the same approval page.
 * Only the first of them tells the run: more signals would only fill the history.
 */
export class ApprovalNotices {
  /** By run and page: which activity has told the run. */
  #told = new Map<string, string>();

  /** @returns the signal for the run; undefined: the run knows already */
  opened(runId: string, of: string, approvalUrl: string): ApprovalNotice | undefined {
    const key = `${runId} ${approvalUrl}`;
    if (this.#told.has(key)) return undefined;
    this.#told.set(key, of);
    return { of, approvalUrl };
  }

  /** The activity `of` no longer waits for its page, or its attempt is over. */
  closed(runId: string, of: string, approvalUrl: string): ApprovalNotice | undefined {
    const key = `${runId} ${approvalUrl}`;
    if (this.#told.get(key) !== of) return undefined;
    this.#told.delete(key);
    return { of };
  }
}
