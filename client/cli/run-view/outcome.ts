import type { DocumentFailure } from '../../../contract/failures';
import type { Progress } from '../../../contract/progress';
import type { RepublishFailed } from '../../errors';
import { command } from './commands';

/** What became of a run that ended well, as sentences. */
export function outcomeLines(progress: Progress | null, runId: string): string[] {
  // Needs a worker to answer; the result is there without.
  if (progress === null) return ['done'];
  const { planned, published, unchanged, superseded, skipped } = progress;
  const lines = [];
  if (planned + skipped === 0)
    lines.push('warning: the operator has no machines; is "queries.machines" right?');
  if (skipped > 0) {
    lines.push(
      `warning: ${skipped} document${skipped === 1 ? ' was' : 's were'} skipped: no state in the database, or given up; see: ${command('audit', runId)}`,
    );
  }
  lines.push(
    `done: ${published} published, ${unchanged} unchanged, ${superseded} superseded, ${skipped} skipped`,
  );
  return lines;
}

/** Why a run did not end well, and what to do. */
export function failureLines(
  { type, message, remedy, failures, failed }: RepublishFailed,
  runId: string,
): string[] {
  if (type !== 'RepublishIncomplete') {
    return [`error: ${type}: ${message}`, ...(message.includes(remedy) ? [] : [`remedy: ${remedy}`])];
  }
  return [
    `error: ${type}: ${failed} document${failed === 1 ? '' : 's'} could not be republished:`,
    ...failures.map((failure) => `  ${lineOf(failure)}`),
    ...(failed > failures.length
      ? [`  and ${failed - failures.length} more; see: ${command('audit', runId)}`]
      : []),
    `remedy: ${remedy}`,
  ];
}

function lineOf({ documentType, machineId, type, message }: DocumentFailure): string {
  return `${documentType} of machine ${machineId}: ${type}: ${message}`;
}
