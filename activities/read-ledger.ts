import type { LedgerView, ReadLedgerInput } from '../contract/activities';
import { clearTrouble, ledgerView } from '../database/ledger/view';
import type { ActivityCall, ActivityDependencies } from './dependencies';

/** How a run stands: the pages with open documents, and all counts. */
export async function readLedger(
  deps: ActivityDependencies,
  { runId, resumed }: ReadLedgerInput,
  _call: ActivityCall,
): Promise<LedgerView> {
  if (resumed) await clearTrouble(deps.database, runId);
  return ledgerView(deps.database, runId);
}
