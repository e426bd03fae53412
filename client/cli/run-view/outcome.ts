import { remedyFor, traitsOf } from '../../../contract/failures';
import { givenUpWords, howFar } from '../../../rules/how-far';
import { documentOf } from '../../../rules/machine-name';
import type { Progress } from '../../../contract/progress';
import { notAttemptedLine, tellFailures, type ToldReason } from '../../../rules/told-failures';
import type { RepublishFailed } from '../../errors';
import { commandLine, completeCommands } from '../command-lines';

/** @param lookedIn where the machines were looked for; undefined: not known */
export function noMachines(lookedIn: string | undefined): string {
  const where = lookedIn === undefined ? '' : `: they were looked for in ${lookedIn}`;
  return `warning: the operator has no machines${where}. Are the operator, LNBITS_DATABASE_URL and "preset" right?`;
}

/** The result of a run that ended well, as sentences. */
export function outcomeLines(progress: Progress | null, runId: string): string[] {
  // The counts need a worker. The result does not.
  if (progress === null) return ['complete'];
  const { published, unchanged, superseded, skipped, givenUp } = progress;
  return [
    ...completeBut(progress, runId),
    `complete: ${published} published, ${unchanged} unchanged, ${superseded} superseded, ` +
      `${skipped - givenUp} skipped${givenUpWords(progress)}`,
  ];
}

/** What changes how the end of a complete run is read. */
export function completeBut({ planned, skipped, givenUp, lookedIn }: Progress, runId: string): string[] {
  const see = commandLine('audit', runId);
  const warning = (count: number, what: string): string =>
    `warning: ${count} document${count === 1 ? ' was' : 's were'} ${what}; see: ${see}`;
  const without = skipped - givenUp;
  return [
    ...(planned + skipped === 0 ? [noMachines(lookedIn)] : []),
    ...(givenUp > 0 ? [warning(givenUp, 'given up')] : []),
    ...(without > 0 ? [warning(without, 'skipped: not paired yet, or without state')] : []),
  ];
}

/** The audit head, which the reader should keep elsewhere. */
export function headLines(progress: Progress | null): string[] {
  return progress?.auditHead === undefined ? [] : [`audit head: ${progress.auditHead}`];
}

/** What is known of a run that failed, besides its error. */
interface EndedRun {
  runId: string;
  operator: string;
  /** The last progress; null: no worker answered. */
  progress: Progress | null;
}

/** First why a run failed and what to do; then the consequences. */
export function failureLines(error: RepublishFailed, { runId, operator, progress }: EndedRun): string[] {
  const { type, message, remedy } = error;
  // The error of a cancellation contains no failures. The last progress has them.
  const known = error.failed > 0 || progress === null ? error : progress;
  const cause = progress?.blocked;
  const { reasons, notAttempted, unnamed } = tellFailures(known, {
    cause,
    documentTypes: Object.keys(progress?.documentTypes ?? {}),
  });
  const isIncomplete = type === 'RepublishIncomplete';
  const said = isIncomplete
    ? `${known.failed} document${known.failed === 1 ? '' : 's'} could not be republished:`
    : message;
  // Documents that a cancellation interrupted need no remedy of their own.
  const types = [...new Set(reasons.map((reason) => reason.type))].filter(
    (each) => each !== type && !(type === 'Cancelled' && traitsOf(each).decidedBy === 'run'),
  );
  const lines = [
    `error: ${type}: ${said}`,
    ...(isIncomplete ? [] : [`remedy: ${remedy}`]),
    ...reasons.flatMap(reasonLines),
    ...(notAttempted > 0 ? [`${isIncomplete ? '  ' : ''}${notAttemptedLine(notAttempted)}`] : []),
    ...(unnamed > 0 ? [`  and ${unnamed} more; see: ${commandLine('audit', runId)}`] : []),
    ...types.map((each) => `remedy for ${each}: ${remedyFor(each)}`),
    ...(isIncomplete ? [`remedy: ${remedy}`] : []),
    ...(progress === null || isIncomplete ? [] : standingLine(progress)),
  ];
  return lines.map((text) => completeCommands(text, operator));
}

function standingLine(progress: Progress): string[] {
  const { done, of } = howFar(progress);
  return of === 0 ? [] : [`${done} of ${of} documents stand${givenUpWords(progress)}`];
}

/** Each reason names at most so many documents. The audit has all of them. */
const MAX_NAMED = 10;

/** Documents with the same reason share a line: forty documents that lack one relay are one repair. */
function reasonLines({ type, message, documents }: ToldReason): string[] {
  const reason = `${type}: ${message}`;
  const [only, ...others] = documents.map(documentOf);
  if (others.length === 0) return [`  ${only}: ${reason}`];
  const shown = [only, ...others].slice(0, MAX_NAMED).map((each) => `    ${each}`);
  const more = documents.length - shown.length;
  return [`  ${reason}`, ...shown, ...(more > 0 ? [`    and ${more} more`] : [])];
}

/** The cause of the end of a run: what blocked all documents, or else its failure. */
export function endedOn(
  failure: { type: string; message: string; remedy: string },
  { progress, operator }: Pick<EndedRun, 'progress' | 'operator'>,
): { type: string; message: string; remedy: string } {
  const remedy = completeCommands(failure.remedy, operator);
  if (failure.type !== 'RepublishIncomplete' || progress === null)
    return { ...failure, message: completeCommands(failure.message, operator), remedy };
  const { blocked } = progress;
  if (blocked !== undefined)
    return {
      type: blocked.type,
      message: completeCommands(blocked.message, operator),
      remedy: completeCommands(remedyFor(blocked.type), operator),
    };
  // The message would repeat the documents that are shown below.
  const { failed } = progress;
  const message = `${failed} document${failed === 1 ? '' : 's'} could not be republished`;
  return { ...failure, message, remedy };
}
