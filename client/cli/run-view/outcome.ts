import { type DocumentFailure, remedyFor } from '../../../contract/failures';
import type { Progress } from '../../../contract/progress';
import type { RepublishFailed } from '../../errors';
import { withoutName } from '../by-machine';
import { command, forOperator } from './commands';

/** @param lookedIn where; undefined where that is not known any more */
export function noMachines(lookedIn: string | undefined): string {
  const where = lookedIn === undefined ? '' : `: they were looked for in ${lookedIn}`;
  return `warning: the operator has no machines${where}. Are the operator, LNBITS_DATABASE_URL and "preset" right?`;
}

/** What became of a run that ended well, as sentences. */
export function outcomeLines(progress: Progress | null, runId: string): string[] {
  // Needs a worker to answer; the result is there without.
  if (progress === null) return ['done'];
  const { planned, published, unchanged, superseded, skipped, lookedIn } = progress;
  const lines = [];
  if (planned + skipped === 0) lines.push(noMachines(lookedIn));
  if (skipped > 0) {
    lines.push(
      `warning: ${skipped} document${skipped === 1 ? ' was' : 's were'} skipped: not paired yet, without state, or given up; see: ${command('audit', runId)}`,
    );
  }
  lines.push(
    `done: ${published} published, ${unchanged} unchanged, ${superseded} superseded, ${skipped} skipped`,
  );
  return lines;
}

/** What to keep elsewhere of the audit, however the run ended. */
export function headLines(progress: Progress | null): string[] {
  return progress?.auditHead === undefined ? [] : [`audit head: ${progress.auditHead}`];
}

/** Why a run did not end well, and what to do. */
export function failureLines(error: RepublishFailed, runId: string, operator: string): string[] {
  return linesOf(error, runId).map((text) => forOperator(text, operator));
}

function linesOf({ type, message, remedy, failures, failed }: RepublishFailed, runId: string): string[] {
  if (type !== 'RepublishIncomplete') {
    return [`error: ${type}: ${message}`, ...(message.includes(remedy) ? [] : [`remedy: ${remedy}`])];
  }
  return [
    `error: ${type}: ${failed} document${failed === 1 ? '' : 's'} could not be republished:`,
    ...byReason(failures),
    ...(failed > failures.length
      ? [`  and ${failed - failures.length} more; see: ${command('audit', runId)}`]
      : []),
    ...[...new Set(failures.map((failure) => failure.type))].map(
      (each) => `remedy for ${each}: ${remedyFor(each)}`,
    ),
    `remedy: ${remedy}`,
  ];
}

/** Forty documents that lack the same relay are one thing to mend. */
function byReason(failures: DocumentFailure[]): string[] {
  const groups = new Map<string, string[]>();
  for (const failure of failures) {
    const { documentType, machineId, type, message } = failure;
    const reason = `${type}: ${withoutName(message, failure)}`;
    groups.set(reason, [...(groups.get(reason) ?? []), `${documentType} of machine ${machineId}`]);
  }
  return [...groups].flatMap(([reason, [name, ...others]]) =>
    others.length === 0
      ? [`  ${name}: ${reason}`]
      : [`  ${reason}`, ...[name, ...others].map((each) => `    ${each}`)],
  );
}
