import type { RecordOperatorsInput } from '../../contract/fleet-activities';
import { recordFleetOperators } from '../../database/fleets';
import type { ActivityCall, ActivityDependencies } from '../dependencies';

/** Writes to the ledger how operators of a fleet ended. */
export async function recordOperators(
  deps: ActivityDependencies,
  { runId, ended }: RecordOperatorsInput,
  _call: ActivityCall,
): Promise<void> {
  await deps.database.transaction((client) => recordFleetOperators(client, runId, ended));
}
