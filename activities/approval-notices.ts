import type { ApprovalNotice } from '../contract/control';

/**
 * Tells a run that its signer waits for a person. Many documents of a run wait for the same page: the first
 * of them tells, and the others would only fill the history.
 */
export class ApprovalNotices {
  /** Who has told about a page, by run and page. */
  #told = new Map<string, string>();

  /** @returns what the run is to be told, if anything. */
  opened(runId: string, of: string, approvalUrl: string): ApprovalNotice | undefined {
    const key = `${runId} ${approvalUrl}`;
    if (this.#told.has(key)) return undefined;
    this.#told.set(key, of);
    return { of, approvalUrl };
  }

  /** The wait of `of` for its page is over, or its attempt has ended. */
  closed(runId: string, of: string, approvalUrl: string): ApprovalNotice | undefined {
    const key = `${runId} ${approvalUrl}`;
    if (this.#told.get(key) !== of) return undefined;
    this.#told.delete(key);
    return { of };
  }
}
