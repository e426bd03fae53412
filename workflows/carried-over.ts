import type { CheckSignerResult, DocumentPosition } from '../contract/activities';
import type { DocumentSelection, Intervention } from '../contract/control';
import type { DocumentFailure } from '../contract/failures';
import type { Counts } from '../contract/progress';
import type { QueuedDocument } from './document-queue';

/**
 * What one execution of a run hands to the next (continue-as-new). All of it is bounded, however many documents the run
 * has: which documents are open and why they failed is in the ledger.
 */
export interface CarriedOver {
  checked: CheckSignerResult;
  /** The last document that was begun in the order of the ledger; absent when none was. */
  position?: DocumentPosition;
  /** Documents behind that position have not been begun. */
  hasMore: boolean;
  /** Pages that somebody wants to be tried again. */
  passes: Pass[];
  /** Documents that somebody wants to be tried again, already taken from the ledger. */
  again: Omit<QueuedDocument, 'inOrder'>[];
  /** Documents that failed after all their attempts, by type. */
  failed: Record<string, number>;
  counts: Record<string, Counts>;
  /** Shown of the failures: bad rows, and what failed after all its attempts. At most 50 each. */
  badRows: DocumentFailure[];
  failures: DocumentFailure[];
  failedInARow: number;
  paused?: Intervention;
  interventions: Intervention[];
}

/** Documents that earlier executions have left without an outcome, and that are to be tried again. */
export interface Pass {
  selection: Pick<DocumentSelection, 'documentType' | 'machineId'>;
  after?: DocumentPosition;
  upTo: DocumentPosition;
}
