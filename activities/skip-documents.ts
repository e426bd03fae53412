import type { ChangedDocuments, SkipDocumentsInput } from '../contract/activities';
import { requireMachineOfRun, skipDocuments as skipInLedger } from '../database/ledger/interventions';
import { ledgerView } from '../database/ledger/view';
import type { ActivityCall, ActivityDependencies } from './dependencies';

/** Skips documents of a run that are not published, because a person asked for it. */
export async function skipDocuments(
  deps: ActivityDependencies,
  { runId, selection, by, reason }: SkipDocumentsInput,
  _call: ActivityCall,
): Promise<ChangedDocuments> {
  await requireMachineOfRun(deps.database, runId, selection);
  const who = by === undefined ? '' : ` by ${by}`;
  const message = `given up${who}${reason === undefined ? '' : `: ${reason}`}`;
  const documents = await skipInLedger(deps.database, runId, selection, message);
  return { documents, ...(await ledgerView(deps.database, runId)) };
}
