import { persistFleetAudit } from '../activities/fleet/persist-fleet-audit';
import type { ControlRequest } from '../contract/control';
import type { OperatorRun } from '../contract/fleet-activities';
import type { Obstacle } from '../contract/obstacle';
import type { Database } from '../database/connection';
import { recordOfFleet } from '../database/fleet-report';
import { auditOfFleet, recordFleet, recordFromRuns } from '../database/fleets';
import { sentenceOf } from './end-run';

/** A fleet that Temporal has terminated. */
export interface EndedFleet {
  /** firstExecutionRunId. */
  runId: string;
  workflowId: string;
  /** Why the fleet did not end. */
  obstacle?: Obstacle | null;
  /** Runs that the fleet has begun and that continue. The ledger does not have a run that no worker took. */
  begun?: readonly OperatorRun[];
}

/**
 * Writes the audit row of a fleet that Temporal has terminated. The runs of its operators are workflows of
 * their own and continue. An operator whose run of the fleet's request has an audit row gets the outcome of
 * that row. An operator whose run continues counts as running, the others count as not begun.
 *
 * @returns false: the fleet had its audit row already
 */
export async function writeAuditOfEndedFleet(
  database: Database,
  { runId, workflowId, obstacle, begun = [] }: EndedFleet,
  asked: ControlRequest,
): Promise<boolean> {
  if ((await auditOfFleet(database, runId)) !== undefined) return false;
  await recordFleet(database, { runId, workflowId, request: {} });
  const { request = {} } = (await recordOfFleet(database, runId)) ?? {};
  await database.transaction((client) => recordFromRuns(client, runId, begun));
  await persistFleetAudit(
    { database },
    {
      runId,
      request,
      ended: [],
      cancelled: false,
      failure: { type: 'Terminated', message: sentenceOf(asked, obstacle) },
      interventions: [{ action: 'end', at: new Date().toISOString(), ...asked }],
    },
    { workflowId },
  );
  return true;
}
