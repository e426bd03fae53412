import type { PlanFleetInput, PlanFleetResult } from '../../contract/fleet-activities';
import { addFleetOperators, countFleetOperators, recordFleet } from '../../database/fleets';
import type { ActivityCall, ActivityDependencies } from '../dependencies';

const PAGE = 1_000;

/**
 * Writes down who belongs to the fleet: those who were named, or everybody whom the query names now. From here on the list
 * is read from the ledger, a page at a time, so that no execution of the fleet has to carry it.
 */
export async function planFleet(
  deps: ActivityDependencies,
  { runId, request }: PlanFleetInput,
  { workflowId, signal }: ActivityCall,
): Promise<PlanFleetResult> {
  await recordFleet(deps.database, { runId, workflowId, reason: request.reason ?? undefined });
  for await (const operators of request.operators ? [request.operators] : allOperators(deps)) {
    signal.throwIfAborted();
    await addFleetOperators(deps.database, runId, operators);
  }
  return {
    planned: await countFleetOperators(deps.database, runId),
    ...(deps.searchAttributes ? { searchAttributes: true as const } : {}),
  };
}

async function* allOperators({ database, sources }: ActivityDependencies): AsyncGenerator<string[]> {
  let after: string | undefined;
  do {
    const operators = await sources.operators(database, { after, limit: PAGE });
    yield operators;
    after = operators.length === PAGE ? operators.at(-1) : undefined;
  } while (after !== undefined);
}
