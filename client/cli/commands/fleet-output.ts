import type { WaitsFor } from '../../../contract/activities';
import type { FleetProgress, FleetSummary, OperatorEnd } from '../../../contract/fleet';
import type { WrittenFleetAuditRow } from '../../../database/fleets';
import { print, say } from '../output';
import { wholeTable } from '../terminal/table';

/** Operators of a fleet that are not complete. */
export function unfinished({ incomplete, failed, cancelled, notBegun }: FleetSummary['operators']): number {
  return incomplete + failed + cancelled + notBegun;
}

export function fleetLine({ phase, paused, cancelling, planned, running, operators }: FleetProgress): string {
  const { complete, incomplete, failed, cancelled } = operators;
  const state = cancelling ? ' (cancelled)' : paused ? ' (paused)' : '';
  return `${phase}${state}: ${complete + incomplete + failed + cancelled} of ${planned} operators (${complete} complete, ${incomplete} incomplete, ${failed} failed, ${cancelled} cancelled), ${running} in work`;
}

/** The run of another request for whose end an operator's own waits. */
export function waitLine({ operatorUserId, runId, begunAt, differs }: WaitsFor): string {
  return `waits: ${operatorUserId}, for the end of the run of another request (${differs.join('; ')}), begun at ${begunAt} (run ${runId})`;
}

export function showSummary({ operators, failures }: FleetSummary): void {
  print(countsTable(operators));
  showFailures(failures, operators);
  if (Object.values(operators).every((count) => count === 0))
    say('warning: the fleet has no operators; has anybody a signer, is "queries.operators" right?');
}

export function showFleetAudit(row: WrittenFleetAuditRow): void {
  print(`fleet ${row.runId}\n${row.outcome}, ${row.startedAt} to ${row.writtenAt}`);
  print(`row ${row.position}, head ${row.hash}`);
  if (row.reason) print(`reason: ${row.reason}`);
  if (row.failure) print(`failure: ${row.failure.type}: ${row.failure.message}`);
  for (const { action, at, by, reason } of row.interventions)
    print(`${action}, ${at}${by ? `, by ${by}` : ''}${reason ? `: ${reason}` : ''}`);
  print(`\n${countsTable(row.operators)}`);
  showFailures(row.failures, row.operators);
  print('');
}

function countsTable(operators: FleetSummary['operators']): string {
  const rows = Object.entries(operators).map(([outcome, count]) => [
    outcome === 'notBegun' ? 'not begun' : outcome,
    String(count),
  ]);
  return wholeTable(['operators', 'number'], rows);
}

function showFailures(
  failures: OperatorEnd[],
  { incomplete, failed, cancelled }: FleetSummary['operators'],
): void {
  if (failures.length === 0) return;
  const rows = failures.map(({ operatorUserId, outcome, failure, runId }) => [
    operatorUserId,
    outcome,
    failure?.type ?? '',
    runId ?? '',
    failure?.message ?? '',
  ]);
  print(`\n${wholeTable(['operator', 'outcome', 'failure', 'run', 'message'], rows)}`);
  const more = incomplete + failed + cancelled - failures.length;
  if (more > 0) print(`and ${more} more; see: republish fleet audit`);
  print('Each operator: republish audit <operator>');
}
