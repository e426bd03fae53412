import type { LoadOperatorsInput, LoadOperatorsResult } from '../../contract/fleet-activities';
import { fleetOperatorsAfter } from '../../database/fleets';
import type { ActivityCall, ActivityDependencies } from '../dependencies';

/** Reads one page of a fleet's operators. */
export async function loadOperators(
  deps: ActivityDependencies,
  page: LoadOperatorsInput,
  _call: ActivityCall,
): Promise<LoadOperatorsResult> {
  const operators = await fleetOperatorsAfter(deps.database, page);
  const last = operators.at(-1);
  return { operators, ...(operators.length === page.limit && last !== undefined ? { next: last } : {}) };
}
