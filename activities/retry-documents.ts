import type { ChangedDocuments, SelectDocumentsInput } from '../contract/activities';
import { badRows, planBadRowsAgain, retryDocuments as retryInLedger } from '../database/ledger/interventions';
import { ledgerView } from '../database/ledger/view';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { openedRun } from './steps/open-run';
import { planMachines } from './steps/plan-machines';

/** Machines whose rows one call reads again; what is left stays failed, and can be asked for again. */
const MAX_MACHINES = 500;

/**
 * Opens failed documents again, because a person said so, and gives those that meet with trouble their full time. What failed before
 * anything was sealed is planned anew first: somebody may have corrected the row, or the machine's key. A machine that still has no
 * usable key stays failed, with the reason of today.
 */
export async function retryDocuments(
  deps: ActivityDependencies,
  { runId, selection }: SelectDocumentsInput,
  { signal }: ActivityCall,
): Promise<ChangedDocuments> {
  const { operatorUserId } = await openedRun(deps, runId);
  const bad = await badRows(deps.database, runId, selection, MAX_MACHINES);
  const machineIds = [...new Set(bad.map(({ machineId }) => machineId))];
  let opened = 0;
  if (machineIds.length > 0) {
    const documentTypes = [...new Set(bad.map(({ documentType }) => documentType))];
    const machines = await deps.source.machines({ operatorUserId, machineIds, limit: machineIds.length });
    const { documents } = await planMachines(deps, { operatorUserId, documentTypes }, machines, signal);
    await planBadRowsAgain(deps.database, runId, documents);
    const named = new Set(bad.map(({ documentType, machineId }) => `${documentType} ${machineId}`));
    opened = documents.filter(
      ({ documentType, machineId, outcome }) => outcome === null && named.has(`${documentType} ${machineId}`),
    ).length;
  }
  opened += await retryInLedger(deps.database, runId, selection);
  return { documents: opened, ...(await ledgerView(deps.database, runId)) };
}
