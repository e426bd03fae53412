import { persistFleetAudit } from '../activities/fleet/persist-fleet-audit';
import type { ControlRequest } from '../contract/control';
import type { Obstacle } from '../contract/obstacle';
import type { Database } from '../database/connection';
import { recordOfFleet } from '../database/fleet-report';
import { auditOfFleet, recordFleet, recordFromAudits } from '../database/fleets';
import { sentenceOf } from './end-run';

/**
 * Writes the audit row of a fleet that Temporal has terminated. The runs of its operators are workflows of
 * their own and continue. An operator with an audit row since the fleet began gets the outcome of that row.
 * The others count as not begun.
 *
 * @returns false: the fleet had its audit row already
 */
export async function writeAuditOfEndedFleet(
  database: Database,
  { runId, workflowId, obstacle }: { runId: string; workflowId: string; obstacle?: Obstacle | null },
  asked: ControlRequest,
): Promise<boolean> {
  if ((await auditOfFleet(database, runId)) !== undefined) return false;
  await recordFleet(database, { runId, workflowId, request: {} });
  const { request = {} } = (await recordOfFleet(database, runId)) ?? {};
  await database.transaction((client) => recordFromAudits(client, runId));
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
