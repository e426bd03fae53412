import type { WaitsFor } from '../../../contract/activities';
import type { FleetProgress, FleetSummary, OperatorEnd } from '../../../contract/fleet';
import type { WrittenFleetAuditRow } from '../../../database/fleets';
import { commandLine } from '../command-lines';
import { print, say } from '../output';
import { howFarOfFleet } from '../../../rules/how-far';
import { compareIds } from '../../../rules/machine-name';
import { fittedTable, paragraph, wholeTable } from '../terminal/table';

export function fleetLine(progress: FleetProgress): string {
  const { phase, paused, cancelling, waiting, running } = progress;
  const state = cancelling ? ' (cancelled)' : paused ? ' (paused)' : '';
  return `${phase}${state}: ${countsOf(progress)}, ${running} in work, ${waiting} waiting`;
}

/** The last progress of a fleet that has ended. A terminated fleet still answers that it is running. */
export function endedFleetLine(progress: FleetProgress): string {
  const { waiting, running } = progress;
  const inWork = running === 0 ? '' : `, ${running} in work when it ended`;
  return `${countsOf(progress)}${inWork}, ${waiting} not begun`;
}

function countsOf(progress: FleetProgress): string {
  const { incomplete, failed, cancelled } = progress.operators;
  const { done, of, percent } = howFarOfFleet(progress);
  const share = percent === undefined ? '' : `, ${percent}%`;
  return `${done} of ${of} operators complete${share} (${incomplete} incomplete, ${failed} failed, ${cancelled} cancelled)`;
}

/** The run of another request for which an operator waits. */
export function waitLine({ operatorUserId, runId, begunAt, differs }: WaitsFor): string {
  const facts = `its request: ${differs.join('; ')}; begun at ${begunAt}; run ${runId}`;
  return `waits: ${operatorUserId}, for the end of a run of another request (${facts})`;
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
  if (row.reason) print(paragraph(`reason: ${row.reason}`));
  if (row.failure) print(paragraph(`failure: ${row.failure.type}: ${row.failure.message}`));
  for (const { action, at, by, reason } of row.interventions)
    print(paragraph(`${action}, ${at}${by ? `, by ${by}` : ''}${reason ? `: ${reason}` : ''}`));
  print(`\n${countsTable(row.operators)}`);
  showFailures(row.failures, row.operators);
  print('');
}

/** How many operators of a fleet are complete. */
export function completeOf({ operators }: WrittenFleetAuditRow): string {
  const all = Object.values(operators).reduce((sum, count) => sum + count, 0);
  return `${operators.complete} of ${all}`;
}

/** The order in which runs end is random. */
export function sortedByOperator<Of extends { operatorUserId: string }>(list: readonly Of[]): Of[] {
  return list.toSorted((a, b) => compareIds(a.operatorUserId, b.operatorUserId));
}

/** The words for counts that are no outcome of a run. */
const COUNTED: Record<string, string> = { notBegun: 'not begun', running: 'running when it was ended' };

function countsTable(operators: FleetSummary['operators']): string {
  const rows = Object.entries(operators).map(([outcome, count]) => [
    COUNTED[outcome] ?? outcome,
    String(count),
  ]);
  return wholeTable(['operators', 'number'], rows);
}

function showFailures(
  failures: OperatorEnd[],
  { incomplete, failed, cancelled }: FleetSummary['operators'],
): void {
  if (failures.length === 0) return;
  const rows = sortedByOperator(failures).map(({ operatorUserId, outcome, failure, runId }) => [
    operatorUserId,
    outcome,
    failure?.type ?? '',
    runId ?? '',
    failure?.message ?? '',
  ]);
  print(`\n${fittedTable(['operator', 'outcome', 'failure', 'run', 'message'], rows)}`);
  const more = incomplete + failed + cancelled - failures.length;
  if (more > 0) print(`and ${more} more; see: ${commandLine('fleet audit')}`);
  print(`Each operator: ${commandLine('audit <operator>')}`);
}
