import type { Intervention } from './control';
import type { DocumentFailure, Failure, FailureType } from './failures';

/** What can become of one document. */
export const OUTCOMES = ['published', 'unchanged', 'superseded', 'skipped', 'failed'] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Outcomes after which a machine finds the document, or a newer one. */
export const GOOD_OUTCOMES = ['published', 'unchanged', 'superseded'] as const satisfies readonly Outcome[];

export type GoodOutcome = (typeof GOOD_OUTCOMES)[number];

export function isGood(outcome: Outcome | null): outcome is GoodOutcome {
  return GOOD_OUTCOMES.some((good) => good === outcome);
}

/**
 * How a run ended: all documents stand; some do not; it ended before its documents; somebody cancelled it.
 */
export const RUN_OUTCOMES = ['complete', 'incomplete', 'failed', 'cancelled'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

export type Phase =
  | 'loading machines'
  | 'proving signer'
  | 'publishing'
  /** Every document is read back once more before the audit row is written. */
  | 'sweeping'
  /** `onFailure: 'hold'`: everything else is done, and a person must decide about the failures. */
  | 'holding'
  | 'writing audit'
  | 'done';

/** Documents by outcome. */
export interface OutcomeCounts extends Record<Outcome, number> {
  /** How many of the skipped documents a person gave up (`republish skip`). `skipped` counts them too. */
  givenUp: number;
}

/** The keys of `OutcomeCounts`. */
export const COUNTED = [...OUTCOMES, 'givenUp'] as const satisfies readonly (keyof OutcomeCounts)[];

/** A person gave the document up (`republish skip`). Other skipped documents had nothing to publish. */
export function isGivenUp({
  outcome,
  failureType,
}: {
  outcome: Outcome | null;
  failureType: FailureType | null;
}): boolean {
  return outcome === 'skipped' && failureType === 'GivenUp';
}

export interface Counts extends OutcomeCounts {
  /** What there is to do: all documents but the skipped ones. */
  planned: number;
}

/**
 * How many documents have come how far; each has passed the stages before. A slow bunker is seen to move by
 * them.
 */
export interface Stages {
  /** The event, and with it its id, is fixed in the ledger. */
  encrypted: number;
  signed: number;
  /** Sent to the relays, or found there. */
  sent: number;
  /** Read back from a quorum of relays, or superseded there by a newer one. */
  standing: number;
}

/** An open document, and what it waits for, in words. */
export interface WaitingDocument {
  documentType: string;
  machineId: string;
  /** As in a DocumentFailure. */
  machineName?: string;
  /** Such as `signature` or the failure of its last try. No secret, no state. */
  why: string;
  /** Of the failure that `why` tells; absent: `why` tells none. */
  type?: FailureType;
  /** ISO 8601: since when it is in trouble; absent: it is not. */
  since?: string;
  /** Failed tries since then. */
  tries?: number;
}

/** Answer of the query `progress`. Counts are documents (one per machine and document type). */
export interface Progress extends Counts {
  phase: Phase;
  /** True once a cancellation was asked for: what is signed is finished, and nothing else is begun. */
  cancelling: boolean;
  /** Who paused the run and why, while it is paused. */
  paused?: Intervention;
  /** Pages on which a person has to approve before the signer answers (NIP-46 `auth_url`). */
  approvals: string[];
  /** Documents without an outcome. */
  open: number;
  stages: Stages;
  /**
   * Open documents that are in trouble or wait, at most 20, as of the last result of their page.
   */
  waiting: WaitingDocument[];
  /** Documents that have failed so far, at most 50; `failed` counts all. */
  failures: DocumentFailure[];
  /** Why no further page is begun, or what a run that holds has met before its documents. */
  blocked?: Failure;
  /**
   * Where the operator's machines were looked for; only where there is none, so that the run has nothing to
   * do.
   */
  lookedIn?: string;
  /** As the run was opened with. `contentOf` computes from it which machines a page has. */
  documentsPerPage?: number;
  /**
   * Hash (64 hex characters) of the audit row, once it is written: the head of the chain of the operator's
   * audit rows. Kept elsewhere, it shows later that none of them was changed or cut: `republish audit --check
   * <operator> --head <hash>`.
   */
  auditHead?: string;
  documentTypes: Record<string, Counts>;
}

export function noOutcomes(): OutcomeCounts {
  return { published: 0, unchanged: 0, superseded: 0, skipped: 0, givenUp: 0, failed: 0 };
}

export function noCounts(): Counts {
  return { planned: 0, ...noOutcomes() };
}

export function noStages(): Stages {
  return stagesOf({});
}

/** The stages among some counts; what is left out there is 0. */
export function stagesOf({ encrypted = 0, signed = 0, sent = 0, standing = 0 }: Partial<Stages>): Stages {
  return { encrypted, signed, sent, standing };
}
