import { type FailureType, remedyFor } from '../../../contract/failures';
import type { Progress } from '../../../contract/progress';
import type { RunStatus } from '../../run-status';
import { type Line, line, whole } from '../terminal/paint';
import { wrap } from '../terminal/text';
import { commandLine, completeCommands } from '../command-lines';

const UNREADABLE =
  'A worker answers, but this command cannot decode the answer. Set REPUBLISH_DATA_CONVERTER as on the workers.';

/** Why nothing moves: Temporal does not answer, no worker is there, or no worker can make progress. */
export function troubleLines(
  { progress, closedAt, unreachableSince, obstacle, cancelRequested }: RunStatus,
  operator: string,
  columns: number,
): Line[] {
  if (unreachableSince !== null) {
    const told = `Temporal has not answered since ${clock(unreachableSince)}; asking on. The run is not affected.`;
    return [line(), ...yellow(told, columns)];
  }
  if (obstacle !== null) {
    const { type, message } = obstacle;
    return [
      line(),
      ...yellow(`${type}: ${message}`, columns),
      ...remedyLines(type, operator, columns),
      ...(cancelRequested && !progress?.cancelling ? cancellationWaits(operator, columns) : []),
    ];
  }
  if (progress !== null) return [];
  // The run is open, has no obstacle and no progress. So a worker answered (otherwise the obstacle would be
  // NoWorker or WorkerSilent), and this client cannot read the answer.
  if (closedAt === null) return [line(), ...yellow(UNREADABLE, columns)];
  return [line(), whole('Its counts are in the audit: ', ['bold', commandLine('audit', operator)])];
}

function cancellationWaits(operator: string, columns: number): Line[] {
  return [
    ...yellow('The cancellation waits until a worker continues the run.', columns),
    whole('  end it now, without a worker: ', ['bold', commandLine('end', operator)]),
  ];
}

function clock(at: string): string {
  return new Date(at).toTimeString().slice(0, 8);
}

/** The cause of the end of a run, with its remedy. */
export interface Ended {
  type: string;
  message: string;
  remedy: string;
}

export function endingLines(ended: Ended | undefined): Line[] {
  if (ended === undefined) return [];
  const { type, message, remedy } = ended;
  return [
    line(),
    line(['red', `${type}: ${message.replace(/\s+/g, ' ')}`]),
    line(['bold', `remedy: ${remedy}`]),
    line(),
  ];
}

/** What waits for a person, and what the person can do. It is shown on any terminal, however small. */
export function personLines(
  { approvals, progress, closedAt }: RunStatus,
  operator: string,
  columns: number,
): Line[] {
  if (closedAt !== null) return [];
  const lines: Line[] = [];
  for (const url of approvals) {
    lines.push(line(), line(['yellow', 'The bunker waits for a person; its other requests wait too.']));
    lines.push(whole(['bold', 'approve here: '], ['cyan', url]));
  }
  if (progress === null) return lines;
  const { paused } = progress;
  if (paused !== undefined) {
    const by = paused.by ? ` by ${paused.by}` : '';
    lines.push(
      line(),
      line(['yellow', `Paused${by}${paused.reason ? `: ${paused.reason}` : ''}`]),
      whole('  go on:     ', ['bold', commandLine('resume', operator)]),
    );
  }
  lines.push(...blocked(progress, operator, columns));
  if (progress.phase === 'holding') {
    lines.push(
      line(),
      line(['yellow', `Waits for a decision${undecidedCounts(progress)}`]),
      whole('  try again: ', ['bold', commandLine('retry', operator)]),
      whole('  give up:   ', ['bold', commandLine('skip', operator)]),
      whole('  end:       ', ['bold', commandLine('cancel', operator)]),
    );
  }
  return lines;
}

/** What a holding run waits for, such as ` on 2 failed and 5 without outcome`; empty before its documents. */
export function undecidedCounts({ failed, open }: Progress): string {
  const parts = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(open > 0 ? [`${open} without outcome`] : []),
  ];
  return parts.length === 0 ? '' : ` on ${parts.join(' and ')}`;
}

function blocked({ blocked, planned }: Progress, operator: string, columns: number): Line[] {
  if (blocked === undefined) return [];
  const message = completeCommands(blocked.message.replace(/\s+/g, ' '), operator);
  const told = `${blockedSentence(planned)} ${blocked.type}: ${message}`;
  return [line(), ...yellow(told, columns), ...remedyLines(blocked.type, operator, columns)];
}

function remedyLines(type: FailureType, operator: string, columns: number): Line[] {
  const remedy = completeCommands(`remedy: ${remedyFor(type)}`, operator);
  return wrap(remedy, columns - 3).map((text) => line(['bold', `  ${text}`]));
}

export function blockedSentence(planned: number): string {
  return planned > 0 ? 'No further documents are begun.' : 'The documents cannot be begun.';
}

function yellow(text: string, columns: number): Line[] {
  return wrap(text, columns - 1).map((part) => line(['yellow', part]));
}
