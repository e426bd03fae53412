/**
 * The controls of a run: workflow updates for people (CLI, Temporal UI, any client), and one signal that its
 * own activities send. Wire format, like the names in names.ts.
 */

/** Names of the updates, with their descriptions in the Temporal UI. */
export const UPDATES = {
  pause: 'Begins no further document until `resume`; what is signed is finished',
  resume: 'Continues after `pause`',
  retry:
    'Tries failed documents and documents in trouble again now; { documentType?, machineId? } selects, default: all of them',
  skip: 'Gives up documents that are not published: { documentType?, machineId? } selects; without, all failed ones of a run that holds',
  cancel: 'Cancels the run: what is signed is finished, nothing else is begun, and the audit is written',
} as const;

export type UpdateName = keyof typeof UPDATES;

/** Argument of every update; may be left out. */
export interface ControlRequest {
  /** Who asks, for the audit; at most 200 characters. */
  by?: string;
  /** Why, for the audit; at most 500 characters. */
  reason?: string;
}

/** Argument of `retry` and `skip`: with both keys one document, with one all of that type or machine. */
export interface DocumentSelection extends ControlRequest {
  documentType?: string;
  machineId?: string;
}

/** Answer of `retry` and `skip`: how many documents it concerned. */
export interface ControlResult {
  documents: number;
}

/** A control as the audit row keeps it. */
export interface Intervention extends DocumentSelection {
  /** `end`: somebody ended a run that answered no control (`republish end`). */
  action: UpdateName | 'end';
  /** ISO 8601, the workflow's clock. */
  at: string;
}

/** Signal of an activity whose signer waits for a person; without a URL the wait is over. */
export const APPROVAL_SIGNAL = 'approval';

export interface ApprovalNotice {
  /** Which activity waits, by its id. */
  of: string;
  /** Page on which the operator approves (NIP-46 `auth_url`). */
  approvalUrl?: string;
}
