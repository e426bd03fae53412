import type { OpenedRun, PageCounts } from '../contract/activities';
import type { Intervention } from '../contract/control';

/**
 * What one execution of a run passes to the next (continue-as-new). Its size does not grow with the number of
 * documents: the ledger has the open and the failed ones.
 */
export interface CarriedOver {
  opened: OpenedRun;
  machines: number;
  /** Number of planned documents, including the skipped ones. */
  planned: number;
  /** Shown until the ledger has been read. */
  counts: Record<string, PageCounts>;
  paused?: Intervention;
  interventions: Intervention[];
}
