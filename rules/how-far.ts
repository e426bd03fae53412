import type { FleetSummary, OperatorCounts } from '../contract/fleet';
import { type Counts, GOOD_OUTCOMES, type Phase, type Stages } from '../contract/progress';

/**
 * The progress of a run or a fleet, the same on the command line, in the Temporal UI and in a report. Only
 * documents that stand are done. A document that failed or was not begun is not done, even if its run has
 * ended.
 */
export interface HowFar {
  /** Of documents those that a machine finds: `published`, `unchanged`, or `superseded` by a newer one. */
  done: number;
  /**
   * What was to stand: every document that was planned and not `skipped` (no state, no key), and those that a
   * person gave up.
   */
  of: number;
  /**
   * Whole percent, rounded down, so that 100 is all of it. Absent where that would say nothing: nothing was
   * to stand, the plan is being made, or everything ended before any of it was begun.
   */
  percent?: number;
}

/** Counts of a run or of one of its document types, with as much more as is known. */
type DocumentsSoFar = Omit<Counts, 'planned' | 'skipped'> & {
  /** As counted by the ledger; absent: the documents of all outcomes but `skipped`. */
  planned?: number;
  /** With the stages of pages in work: a document that stands gets its outcome only when it is settled. */
  stages?: Pick<Stages, 'encrypted' | 'standing'>;
  phase?: Phase;
};

export function howFar({ stages, phase, givenUp, ...counts }: DocumentsSoFar): HowFar {
  const settled = GOOD_OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
  const of = (counts.planned ?? settled + counts.failed) + givenUp;
  // `standing` may be too high: a skipped document may stand, and the sweep may have found one lost since.
  const done = Math.max(settled, Math.min(stages?.standing ?? 0, of - counts.failed - givenUp));
  const isBegun = done > 0 || (stages?.encrypted ?? 0) > 0 || counts.failed < of;
  return share(done, phase === 'loading machines' || !isBegun ? 0 : of, of);
}

/** `, 2 given up`, or nothing. */
export function givenUpWords({ givenUp }: Pick<Counts, 'givenUp'>): string {
  return givenUp === 0 ? '' : `, ${givenUp} given up`;
}

/** The same of a fleet: done are the operators whose documents all stand. */
export function howFarOfFleet({
  planned,
  operators,
}: {
  planned: number;
  operators: OperatorCounts;
}): HowFar {
  return share(operators.complete, planned, planned);
}

/** The number of operators of an ended fleet that are not complete. */
export function countIncomplete({
  incomplete,
  failed,
  cancelled,
  notBegun,
  running = 0,
}: FleetSummary['operators']): number {
  return incomplete + failed + cancelled + notBegun + running;
}

function share(done: number, whole: number, of: number): HowFar {
  return whole === 0 ? { done, of } : { done, of, percent: Math.floor((done * 100) / whole) };
}
