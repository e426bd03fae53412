import type { PlanFleetInput, PlanFleetResult } from '../../contract/fleet-activities';
import { addFleetOperators, countFleetOperators, recordFleet } from '../../database/fleets';
import { listSignerOwners } from '../../database/signers';
import type { ActivityCall, ActivityDependencies, ReadOnlyDependencies } from '../dependencies';

const PAGE = 1_000;

/**
 * Writes down who belongs to the fleet: those who were named, or everybody whom the query names now. From
 * here on the list is read from the ledger, a page at a time, so that no execution of the fleet has to carry
 * it.
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

/** Everybody who belongs to a fleet of all, a page at a time. */
export async function* allOperators(deps: ReadOnlyDependencies): AsyncGenerator<string[]> {
  let after: string | undefined;
  do {
    const operators = await operatorsOf(deps, { after, limit: PAGE });
    yield operators;
    after = operators.length === PAGE ? operators.at(-1) : undefined;
  } while (after !== undefined);
}

/**
 * Those whom `queries.operators` names or, where LNbits' own signers sign, all with a machine; else those
 * with a signer here.
 */
function operatorsOf(
  { source, database, operatorsFrom }: ReadOnlyDependencies,
  page: { after: string | undefined; limit: number },
): Promise<string[]> {
  return operatorsFrom === 'source' ? source.operators(page) : listSignerOwners(database, page);
}
