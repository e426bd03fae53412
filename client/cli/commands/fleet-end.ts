import type { Command } from 'commander';
import type { OperatorRun } from '../../../contract/fleet-activities';
import type { FleetStatus } from '../../fleet';
import { commandLine } from '../command-lines';
import { printJson, say, sayEach } from '../output';
import {
  validControlRequest,
  endOptions,
  type EndOptions,
  terminateNow,
  withTemporalAndDatabase,
} from './end';
import { showFleetAudit } from './fleet-output';

export function registerFleetEnd(fleet: Command): void {
  endOptions(
    fleet
      .command('end')
      .summary('end a fleet that nobody can cancel: terminate it, write its audit')
      .description(
        'Ends a fleet that can neither continue nor be cancelled: it is terminated in Temporal, then its audit is written from the ledger and shown. Needs no worker. The runs of its operators are no part of it and continue: republish end <operator> ends one.',
      )
      .addHelpText('before', 'Example: republish fleet end --reason "the old queue is gone"\n'),
  ).action(end);
}

async function end(options: EndOptions): Promise<void> {
  const { writeAuditOfEndedFleet } = await import('../../../ending/end-fleet.js');
  const { auditOfFleet, runsLeftBehind } = await import('../../../database/fleets.js');
  const { begunRuns } = await import('../../end.js');
  const { ControlRefused, findFleet } = await import('../../index.js');
  const asked = validControlRequest(options);
  await withTemporalAndDatabase(async ({ client }, database) => {
    const fleet = await findFleet(client);
    const { workflowId, runId } = fleet;
    const status = await fleet.status();
    const { closedAt, obstacle } = status;
    if (closedAt === null && obstacle === null && !options.yes)
      throw new ControlRefused('a worker is at the fleet: if it is ended now, its runs continue without it', {
        remedy: `${remedyBeforeEnd(status)} To end the fleet all the same: republish fleet end --yes.`,
      });
    const hasEndedNow = await terminateNow({ client }, fleet, asked, obstacle);
    const begun = await begunRuns(client, fleet);
    const isWritten = await writeAuditOfEndedFleet(database, { runId, workflowId, obstacle, begun }, asked);
    if (hasEndedNow) say(`ended: fleet ${runId}; its audit is written`);
    else
      say(
        `fleet ${runId} has ended already${isWritten ? ', and its audit is written now' : ': nothing was changed'}`,
      );
    if (isWritten) tellLeftBehind(await runsLeftBehind(database, runId));
    const row = await auditOfFleet(database, runId);
    if (options.json) printJson(row === undefined ? [] : [row]);
    else if (row !== undefined) showFleetAudit(row);
  });
}

/** A fleet that is cancelled waits for its runs in work: another `cancel` would be refused. */
function remedyBeforeEnd({ progress, cancelRequested, obstacles }: FleetStatus): string {
  if (progress?.cancelling !== true && !cancelRequested) return 'Cancel it: republish fleet cancel.';
  const ends = obstacles.map(({ operatorUserId }) => commandLine('end', operatorUserId));
  return ends.length === 0
    ? 'It is cancelled, and ends when its runs in work have ended. See them with: republish fleet status.'
    : `It is cancelled, and waits for runs that do not move. End them, and the fleet ends: ${ends.join('; ')}.`;
}

/** The audit of the fleet cannot tell how these runs end: their own audits do. */
function tellLeftBehind(runs: OperatorRun[]): void {
  sayEach(
    runs,
    ({ operatorUserId, runId }) =>
      `continues: ${operatorUserId} (run ${runId}); see: ${commandLine('status', operatorUserId)}`,
    (count) => `and ${count} more runs continue`,
  );
}
