import { pagesOf } from '../../async/pages';
import type { PlanFleetInput, PlanFleetResult } from '../../contract/fleet-activities';
import { addFleetOperators, countFleetOperators, recordFleet } from '../../database/fleets';
import { listSignerOwners } from '../../database/signers';
import type { ActivityCall, ActivityDependencies, ReadOnlyDependencies } from '../dependencies';

const PAGE = 1_000;

/**
 * Writes the fleet's operators to the ledger: those in the request, or all that the query gives now. From
 * here on the list is read from the ledger, page by page, so no execution of the fleet has to carry it.
 */
export async function planFleet(
  deps: ActivityDependencies,
  { runId, request }: PlanFleetInput,
  { workflowId, signal }: ActivityCall,
): Promise<PlanFleetResult> {
  await recordFleet(deps.database, { runId, workflowId, request });
  for await (const operators of request.operators ? [request.operators] : allOperators(deps)) {
    signal.throwIfAborted();
    await addFleetOperators(deps.database, runId, operators);
  }
  return {
    planned: await countFleetOperators(deps.database, runId),
    ...(deps.searchAttributes ? { searchAttributes: true as const } : {}),
  };
}

/** All operators of a fleet of all, page by page. */
export function allOperators(deps: ReadOnlyDependencies): AsyncGenerator<string[]> {
  return pagesOf(PAGE, (after, limit) => operatorsOf(deps, { after, limit }));
}

/**
 * With LNbits' own signers: those whom `queries.operators` names, or all with a machine. Otherwise: those
 * with a signer in the ledger.
 */
function operatorsOf(
  { source, database, operatorsFrom }: ReadOnlyDependencies,
  page: { after: string | undefined; limit: number },
): Promise<string[]> {
  return operatorsFrom === 'source' ? source.operators(page) : listSignerOwners(database, page);
}
