import type { FleetSummary } from '../../contract/fleet';
import type { PersistFleetAuditInput } from '../../contract/fleet-activities';
import {
  appendFleetAudit,
  auditOfFleet,
  fleetCounts,
  fleetFailures,
  recordFleet,
  recordFleetOperators,
} from '../../database/fleets';
import { outcomeOfFleet } from '../../rules/run-end';
import type { ActivityCall, ActivityDependencies } from '../dependencies';

/** Most failures in a workflow result. The audit row has all of them. */
const MAX_REPORTED_FAILURES = 100;

/**
 * Closes the fleet: appends one audit row about its operators from the ledger, in one transaction. The
 * row is keyed by the fleet, so a second call returns the first row.
 */
export async function persistFleetAudit(
  deps: Pick<ActivityDependencies, 'database'>,
  input: PersistFleetAuditInput,
  { workflowId }: Pick<ActivityCall, 'workflowId'>,
): Promise<FleetSummary> {
  const { runId, request, ended, failure, interventions } = input;
  const reason = request.reason ?? null;
  const audit = await deps.database.transaction(async (client) => {
    await recordFleet(client, { runId, workflowId, request });
    await recordFleetOperators(client, runId, ended);
    const operators = await fleetCounts(client, runId);
    await appendFleetAudit(client, {
      runId,
      workflowId,
      outcome: outcomeOfFleet(operators, input),
      request,
      operators,
      failures: await fleetFailures(client, runId),
      failure: failure ?? null,
      reason,
      interventions: interventions ?? [],
    });
    return auditOfFleet(client, runId);
  });
  if (audit === undefined) throw new Error('the audit row of the fleet was not written');
  return { operators: audit.operators, failures: audit.failures.slice(0, MAX_REPORTED_FAILURES) };
}
