import type { Intervention } from './control';
import type { DocumentFailure } from './failures';

/** What can become of one document. */
export const OUTCOMES = ['published', 'unchanged', 'superseded', 'skipped', 'failed'] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** How a run ended: all documents stand; some do not; it ended before its documents; somebody cancelled it. */
export type RunOutcome = 'complete' | 'incomplete' | 'failed' | 'cancelled';

export type Phase =
  | 'checking signer'
  | 'loading machines'
  | 'asking signer'
  | 'publishing'
  /** `onFailure: 'hold'`: everything else is done, and somebody has to say what to do about the failures. */
  | 'holding'
  | 'writing audit'
  | 'done';

/** Documents by outcome. `planned` is what there is to do: all documents but the skipped ones. */
export interface Counts extends Record<Outcome, number> {
  planned: number;
}

/** Answer of the query `progress`. Counts are documents (one per machine and document type). */
export interface Progress extends Counts {
  phase: Phase;
  /** True once a cancellation was asked for: documents in work end, no new one is begun. */
  cancelling: boolean;
  /** Who paused the run and why, while it is paused. */
  paused?: Intervention;
  /** Pages on which a person has to approve before the signer answers (NIP-46 `auth_url`). */
  approvals: string[];
  /** Documents that wait for their turn. */
  waiting: number;
  /** Documents that failed for good so far, at most 50; `failed` counts all. */
  failures: DocumentFailure[];
  documentTypes: Record<string, Counts>;
}

export function noCounts(): Counts {
  return { planned: 0, published: 0, unchanged: 0, superseded: 0, skipped: 0, failed: 0 };
}
