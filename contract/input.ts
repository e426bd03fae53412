/**
 * Input of the workflow `republishOperatorConfigs`, as plain JSON so that any Temporal client can send it.
 */
export interface RepublishInput {
  /** `accounts.id` of the operator in LNbits. */
  operatorUserId: string;
  /** Document types to republish, such as `bitspire-fees`. Default: every type the worker knows. */
  documentTypes?: string[];
  /** `dca_machines.id` of the machines to republish. Default: every machine of the operator. */
  machineIds?: string[];
  /**
   * Public key (64 lower-case hex) the operator is expected to have now; the run ends before signing if it
   * differs.
   */
  expectedPubkey?: string;
  /** Sign again, even if the document is already published and unchanged. Default: false. */
  force?: boolean;
  /**
   * With `force`: sign again also document types that set what their machine counts itself, such as
   * `bitspire-cassettes`. Default: false.
   */
  resetCounts?: boolean;
  /**
   * `report` (default): a run with failed documents ends as RepublishIncomplete. `hold`: it stays open, with
   * all other documents done, until somebody retries or skips what failed, or cancels.
   */
  onFailure?: 'report' | 'hold';
  /** Why the run was started; free text for the audit, at most 500 characters. */
  reason?: string;
}

/**
 * Result of the workflow: for each requested document type the ids of the events that stand for it, in
 * machine order.
 */
export type RepublishResult = Record<string, string[]>;
