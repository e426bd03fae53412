import type { OpenedRun, PageCounts } from '../contract/activities';
import type { Intervention } from '../contract/control';

/**
 * What one execution of a run hands to the next (continue-as-new), however many documents the run has: which of them are open
 * and why they failed is in the ledger.
 */
export interface CarriedOver {
  opened: OpenedRun;
  machines: number;
  /** Documents that were planned, the skipped ones among them. */
  planned: number;
  /** To be shown until the ledger has been read. */
  counts: Record<string, PageCounts>;
  paused?: Intervention;
  interventions: Intervention[];
}
