import type { Failure } from '../contract/failures';

/** The public key in the row of a machine. A document is addressed and encrypted to it. */
export interface MachineKey {
  /** As the row has it, hex or npub. */
  written: string | null;
  /** Hex. Undefined: what is written is no public key. */
  hex: string | undefined;
  /** Another machine of the operator has it too. */
  isShared: boolean;
}

/** Why nothing is published for a machine without rows, if the document type gives no other reason. */
export const NO_STATE = 'has no state';

/** What is known of a document when it is planned. */
export interface KnownOfPlan {
  key: MachineKey;
  /** The rows as they are now: they can be published, there are none, or why they cannot be published. */
  state: 'publishable' | 'none' | Failure;
  /** The reason that the document type gives for a machine without rows. */
  withoutState: string | undefined;
}

/** The columns of a planned document. Without an outcome it is to be published. */
export type PlanVerdict =
  | { outcome: null; failureType: null; failureMessage: null }
  | { outcome: 'skipped'; failureType: null; failureMessage: string }
  | { outcome: 'failed'; failureType: Failure['type']; failureMessage: string };

/** Whether a machine has a key, valid or not. Without one nothing is published for it yet. */
export function isPaired(written: string | null): boolean {
  return (written ?? '').trim() !== '';
}

/** Decides what a run has to do with a document, before it asks a signer or a relay. */
export function judgePlan({ key, state, withoutState = NO_STATE }: KnownOfPlan): PlanVerdict {
  if (!isPaired(key.written)) return skipped('not paired yet');
  if (key.hex === undefined) return badKey('is not a public key (64 hex characters or npub)');
  if (key.isShared) return badKey("is also another machine's: they would overwrite each other's documents");
  if (state === 'none') return skipped(withoutState);
  if (state !== 'publishable') return failed(state.type, state.message);
  return { outcome: null, failureType: null, failureMessage: null };
}

function skipped(why: string): PlanVerdict {
  return { outcome: 'skipped', failureType: null, failureMessage: why };
}

function badKey(problem: string): PlanVerdict {
  return failed('MachineKeyInvalid', `machine_npub ${problem}`);
}

function failed(failureType: Failure['type'], failureMessage: string): PlanVerdict {
  return { outcome: 'failed', failureType, failureMessage };
}
