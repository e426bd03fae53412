import { pagesOf } from '../async/pages';
import type { ChangedDocuments, SelectDocumentsInput } from '../contract/activities';
import {
  badRows,
  planBadRowsAgain,
  type PlanRow,
  requireMachineOfRun,
  retryDocuments as retryInLedger,
} from '../database/ledger/interventions';
import { ledgerView } from '../database/ledger/view';
import type { Owner } from '../nostr/signers/operator-signers';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { openedRun } from './steps/open-run';
import { planMachines } from './steps/plan-machines';

/** Bad rows that one statement plans again. */
const BATCH = 500;

/**
 * Opens failed documents again, because a person asked for it, and gives documents in trouble their full
 * time. A document that failed before its seal is planned again: somebody may have corrected the row or the
 * machine's key. If the row is still bad, it stays failed, with today's reason.
 */
export async function retryDocuments(
  deps: ActivityDependencies,
  { runId, selection }: SelectDocumentsInput,
  { signal }: ActivityCall,
): Promise<ChangedDocuments> {
  await requireMachineOfRun(deps.database, runId, selection);
  const { operatorUserId, operatorPubkey } = await openedRun(deps, runId);
  // Bad rows first. Then one statement opens the sealed documents and restarts the time of all.
  let documents = 0;
  const pages = pagesOf<PlanRow>(BATCH, (after, limit) =>
    badRows(deps.database, runId, selection, { limit, after }),
  );
  for await (const bad of pages)
    documents += await planAgain(deps, { runId, operatorUserId, operatorPubkey, bad }, signal);
  documents += await retryInLedger(deps.database, runId, selection);
  return { documents, ...(await ledgerView(deps.database, runId)) };
}

/** @returns how many are open now */
async function planAgain(
  deps: ActivityDependencies,
  { runId, bad, ...owner }: Owner & { runId: string; bad: PlanRow[] },
  signal: AbortSignal,
): Promise<number> {
  const machineIds = [...new Set(bad.map(({ machineId }) => machineId))];
  const documentTypes = [...new Set(bad.map(({ documentType }) => documentType))];
  const machines = await deps.source.machines({
    operatorUserId: owner.operatorUserId,
    machineIds,
    limit: machineIds.length,
  });
  const plan = await planMachines(deps, { ...owner, documentTypes }, machines, signal);
  const named = new Set(bad.map(({ documentType, machineId }) => `${documentType} ${machineId}`));
  const again = plan.documents.filter(({ documentType, machineId }) =>
    named.has(`${documentType} ${machineId}`),
  );
  await planBadRowsAgain(deps.database, runId, again);
  return again.filter(({ outcome }) => outcome === null).length;
}
