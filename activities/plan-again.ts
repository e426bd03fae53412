import type { PlanAgainInput, PlanAgainResult } from '../contract/activities';
import { badRows, ledgerCounts, notBegun, planBadRowsAgain } from '../database/ledger/interventions';
import { leftBehind } from '../database/ledger/pages';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { failuresOf } from './load-machines';
import { listingOf } from './steps/listing';
import { planMachines } from './steps/plan-machines';

/** Machines that one call takes up; what is left is named as failed, and `retry` can be asked for again. */
const MAX_MACHINES = 500;
/** A result travels in one payload. */
const MAX_DOCUMENTS = 1_000;
const MAX_NAMED_FAILURES = 50;

/**
 * Plans anew what failed before any attempt: somebody has corrected the row, or the machine's key, and asked for a retry.
 * What is still bad stays failed, with the reason of today.
 */
export async function planAgain(
  deps: ActivityDependencies,
  input: PlanAgainInput,
  { signal }: ActivityCall,
): Promise<PlanAgainResult> {
  const { runId, operatorUserId, selection, upTo, behind } = input;
  const bad = await badRows(deps.database, runId, selection, MAX_MACHINES);
  const machineIds = [...new Set(bad.map(({ machineId }) => machineId))];
  if (machineIds.length > 0) {
    const documentTypes = [...new Set(bad.map(({ documentType }) => documentType))];
    const machines = await deps.source.machines({
      operatorUserId,
      machineIds,
      limit: machineIds.length,
    });
    const { documents } = await planMachines(deps, { operatorUserId, documentTypes }, machines, signal);
    await planBadRowsAgain(deps.database, runId, documents);
  }
  const rows = await notBegun(deps.database, runId, selection, upTo, MAX_DOCUMENTS);
  const left = behind && (await leftBehind(deps.database, runId, behind, selection));
  return {
    ...(left === undefined ? {} : { behind: left.behind, selectedBehind: left.selected }),
    ...listingOf(
      input,
      [...new Map(rows.map((row) => [row.machineId, { id: row.machineId, name: row.machineName }])).values()],
      rows,
    ),
    failures: failuresOf(await badRows(deps.database, runId, {}, MAX_NAMED_FAILURES)),
    counts: await ledgerCounts(deps.database, runId),
  };
}
