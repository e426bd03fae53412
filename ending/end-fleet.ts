import { persistFleetAudit } from '../activities/fleet/persist-fleet-audit';
import type { ControlRequest } from '../contract/control';
import type { Obstacle } from '../contract/obstacle';
import type { Database } from '../database/connection';
import { recordOfFleet } from '../database/fleet-report';
import { auditOfFleet, recordFleet, recordFromAudits } from '../database/fleets';
import { sentenceOf } from './end-run';

/**
 * Writes the audit of a fleet that Temporal has ended. The runs of its operators go on, since they are no
 * part of it: who has an audit since the fleet began is told by that, the others as not begun.
 *
 * @returns false where its audit was there already
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
      failure: { type: 'RunEnded', message: sentenceOf(asked, obstacle) },
      interventions: [{ action: 'end', at: new Date().toISOString(), ...asked }],
    },
    { workflowId },
  );
  return true;
}
