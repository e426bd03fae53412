import type { OpenedRun, PageCounts } from '../contract/activities';
import type { Intervention } from '../contract/control';

/**
 * What one execution of a run hands to the next (continue-as-new). Its size does not grow with the documents:
 * which of them are open, and why some have failed, is in the ledger.
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
