import { canBeStored } from './free-text';
import { problemOfId } from './ids';

/**
 * How a run is spoken to while it goes on: workflow updates for people (CLI, Temporal UI, any client) and one
 * signal that its own activities send. Wire format, like the names in names.ts.
 */

/** Names of the updates, with what the Temporal UI says about them. */
export const UPDATES = {
  pause: 'Begins no further document until `resume`; what is signed is finished',
  resume: 'Goes on after `pause`',
  retry:
    'Tries again now what has failed or meets with trouble; { documentType?, machineId? } selects, default: all of it',
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

/** What somebody did to a run, as the audit keeps it. */
export interface Intervention extends DocumentSelection {
  /** `end`: past the run, which could not be spoken to (`republish end`). */
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

const MAX_LENGTHS = { by: 200, reason: 500, documentType: 200, machineId: 200 } as const;

/** What is wrong with the argument of an update, as a sentence; undefined when it is sound. */
export function problemOfControl(name: UpdateName, argument: unknown): string | undefined {
  if (argument == null) return undefined;
  if (typeof argument !== 'object' || Array.isArray(argument))
    return `the argument of ${name} must be a JSON object, or be left out`;
  const selects = name === 'retry' || name === 'skip';
  const known = Object.keys(MAX_LENGTHS).filter((key) => selects || key === 'by' || key === 'reason');
  for (const [key, value] of Object.entries(argument)) {
    if (!known.includes(key))
      return `unknown key ${JSON.stringify(key.slice(0, 60))}; ${name} knows ${known.join(', ')}`;
    if (value == null) continue;
    if (key === 'machineId') {
      const problem = problemOfId(key, value);
      if (problem !== undefined) return problem;
      continue;
    }
    const maxLength = MAX_LENGTHS[key as keyof typeof MAX_LENGTHS];
    if (typeof value !== 'string' || value === '' || value.length > maxLength)
      return `${key} must be a text of 1 to ${maxLength} characters`;
    // The audit could not keep it.
    if (!canBeStored(value)) return `${key} must be a text without NUL characters and halves of characters`;
  }
  return undefined;
}
