import { type Counts, OUTCOMES, type Progress } from '../../../contract/progress';
import { remedyFor } from '../../../contract/failures';
import type { Retry, RunStatus } from '../../run-status';
import { type Line, line, type Span, type Style, whole } from '../terminal/paint';
import { cut, padEnd, padStart, widthOf, wrap } from '../terminal/text';
import { command, forOperator } from './commands';
import { doneOf, duration } from './rate';

export interface ViewOptions {
  columns: number;
  nowMs: number;
  /** Documents a second, where it is known. */
  perSecond?: number | undefined;
  /** Retries and failures that there is room for, each; their numbers are always told. */
  maxListed: number;
  /** Cuts reasons and remedies to a line each: better than none. */
  isBrief?: boolean;
  /** Leaves out the failures of a run that has ended: somebody tells them after it, with the remedies. */
  withoutFailures?: boolean;
}

/** What a person sees of a run: `status` prints it once, `start` and `watch` keep it in place. */
export function runView(status: RunStatus, operator: string, options: ViewOptions): Line[] {
  const { progress } = status;
  return [
    headline(status, operator, options.nowMs),
    ...(progress === null ? [] : [...bar(progress, status, options), ...byType(progress, options.columns)]),
    ...trouble(status, options.columns),
    ...waits(status, operator),
    ...retries(status.retrying, options),
    ...failures(status, operator, options),
  ];
}

function headline(
  { status, startedAt, closedAt, runId, progress }: RunStatus,
  operator: string,
  nowMs: number,
): Line {
  const seconds = ((closedAt === null ? nowMs : Date.parse(closedAt)) - Date.parse(startedAt)) / 1_000;
  const phase = closedAt === null ? (progress?.phase ?? 'running') : statusWord(status);
  const styles: Record<string, Style> = { completed: 'green', failed: 'red', holding: 'yellow' };
  return line(
    ['bold', operator],
    '  ',
    [progress?.paused ? 'yellow' : (styles[phase] ?? 'cyan'), progress?.paused ? 'paused' : phase],
    progress?.cancelling && closedAt === null ? ' (cancelled: what is in work is finished)' : '',
    ['dim', `  ${closedAt === null ? 'for' : 'after'} ${duration(seconds)}  run ${runId}`],
  );
}

function statusWord(status: string): string {
  return status.toLowerCase().replace('_', ' ');
}

function bar(
  progress: Progress,
  { closedAt, retrying }: RunStatus,
  { columns, perSecond }: ViewOptions,
): Line[] {
  const done = doneOf(progress);
  const { planned, failed } = progress;
  if (planned === 0) return [];
  const percent = `${Math.floor((done * 100) / planned)}%`;
  const left = planned - done;
  // Where all that is left is being retried, nobody knows how long it takes.
  const isMoving = left > retrying.length;
  const timing =
    perSecond === undefined || perSecond < 0.05 || closedAt !== null
      ? ''
      : `  ${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s${isMoving ? `  ${duration(left / perSecond)} left` : ''}`;
  const text = `  ${percent}  ${done} of ${planned}${timing}`;
  const width = Math.max(0, Math.min(40, columns - 1 - widthOf(text)));
  const filled = Math.floor((done * width) / planned);
  // Something failed: seen also where the bar has no cell for it.
  const red = failed === 0 ? 0 : Math.min(filled, Math.max(1, Math.round((failed * width) / planned)));
  return [
    line(
      ['green', '█'.repeat(filled - red)],
      ['red', '█'.repeat(red)],
      ['dim', '░'.repeat(width - filled)],
      text,
    ),
  ];
}

const STYLES: Partial<Record<keyof Counts, Style>> = { published: 'green', failed: 'red', skipped: 'yellow' };

/** A table where it has room, else each document type with the counts that are not zero. */
function byType({ documentTypes, ...total }: Progress, columns: number): Line[] {
  const rows = Object.entries({ ...documentTypes, total });
  if (rows.length === 1) return [];
  const keys = ['planned', ...OUTCOMES] as const;
  const first = Math.max('document type'.length, ...rows.map(([type]) => widthOf(type)));
  const width = first + keys.reduce((sum, key) => sum + 2 + key.length, 0);
  if (width > columns - 1)
    return [line(), ...rows.flatMap(([type, counts]) => shortRow(type, counts, columns))];
  const cells = (counts: Counts): Span[] =>
    keys.map((key) => {
      const text = `  ${padStart(String(counts[key]), key.length)}`;
      const style = counts[key] > 0 ? STYLES[key] : undefined;
      return style === undefined ? text : ([style, text] as const);
    });
  return [
    line(),
    line(['dim', padEnd('document type', first) + keys.map((key) => `  ${key}`).join('')]),
    ...rows.map(([type, counts]) =>
      line(type === 'total' ? ['bold', padEnd(type, first)] : padEnd(type, first), ...cells(counts)),
    ),
  ];
}

function shortRow(type: string, counts: Counts, columns: number): Line[] {
  const outcomes = OUTCOMES.filter((outcome) => counts[outcome] > 0).map(
    (outcome) => `${counts[outcome]} ${outcome}`,
  );
  const numbers = `${doneOf(counts)} of ${counts.planned}`;
  const name = cut(type, Math.max(8, columns - 2 - numbers.length));
  const all = outcomes.join(', ');
  if (all === '') return [line(['bold', name], ` ${numbers}`)];
  if (widthOf(`${name} ${numbers}  ${all}`) < columns)
    return [line(['bold', name], ` ${numbers}  `, ['dim', all])];
  return [line(['bold', name], ` ${numbers}`), line(['dim', `  ${all}`])];
}

/** Who is missing, so that nothing moves. */
function trouble({ progress, closedAt, taskQueue, unreachableSince }: RunStatus, columns: number): Line[] {
  if (unreachableSince !== null) {
    const told = `Temporal has not answered since ${clock(unreachableSince)}; asking on. The run is not affected.`;
    return [line(), ...wrap(told, columns - 1).map((text) => line(['yellow', text]))];
  }
  if (progress !== null) return [];
  const what = closedAt === null ? 'The run waits for one' : 'The counts need one';
  const told = `No worker answers on task queue ${taskQueue}. ${what}: is republish worker running, with the same REPUBLISH_TASK_QUEUE and Temporal namespace?`;
  return [line(), ...wrap(told, columns - 1).map((text) => line(['yellow', text]))];
}

function clock(at: string): string {
  return new Date(at).toTimeString().slice(0, 8);
}

/** What waits for a person, and what that person can do. */
function waits({ approvals, progress, closedAt }: RunStatus, operator: string): Line[] {
  if (closedAt !== null) return [];
  const lines: Line[] = [];
  for (const url of approvals) {
    lines.push(line(), line(['yellow', 'The bunker waits for a person; its other requests wait too.']));
    lines.push(whole(['bold', 'approve here: '], ['cyan', url]));
  }
  const { paused } = progress ?? {};
  if (paused !== undefined) {
    const by = paused.by ? ` by ${paused.by}` : '';
    lines.push(
      line(),
      line(['yellow', `Paused${by}${paused.reason ? `: ${paused.reason}` : ''}`]),
      whole('  go on:     ', ['bold', command('resume', operator)]),
    );
  }
  if (progress?.phase === 'holding') {
    const { failed, waiting } = progress;
    lines.push(
      line(),
      line([
        'yellow',
        `Waits for a decision on ${failed} failed${waiting > 0 ? ` and ${waiting} not begun` : ''}`,
      ]),
      whole('  try again: ', ['bold', command('retry', operator)]),
      whole('  give up:   ', ['bold', command('skip', operator)]),
      whole('  end:       ', ['bold', command('cancel', operator)]),
    );
  }
  return lines;
}

function retries(retrying: Retry[], options: ViewOptions): Line[] {
  const { nowMs, maxListed, columns } = options;
  if (retrying.length === 0) return [];
  const shown = retrying.slice(0, maxListed);
  return [
    line(),
    line(['bold', `retrying ${retrying.length}`]),
    ...shown.flatMap((retry, index) => [
      ...beside(['yellow', nameOf(retry)], `${attemptOf(retry)}, ${whenOf(retry, nowMs)}`, columns),
      ...detail(shown.slice(index).map(reasonOf), options),
    ]),
    ...(maxListed > 0 ? more(retrying.length - shown.length) : []),
  ];
}

/** What there is to say of a document after its name, or below where the line ends before. */
function beside(name: readonly [Style, string], text: string, columns: number): Line[] {
  return 4 + widthOf(name[1]) + widthOf(text) < columns
    ? [line('  ', name, `  ${text}`)]
    : [line('  ', name), line(`    ${text}`)];
}

/**
 * In full: a relay's reason stands at the end of a long message, and is what somebody has to mend. Documents that follow each other
 * and have the same one share it.
 */
function detail([text = '', next]: string[], options: ViewOptions): Line[] {
  return text === next ? [] : dim(text.replace(/\s+/g, ' '), '    ', options);
}

function dim(text: string, indent: string, { columns, isBrief }: ViewOptions): Line[] {
  const lines = isBrief ? [text] : wrap(text, columns - 1 - indent.length);
  return lines.map((part) => line(['dim', indent + part]));
}

export function nameOf({ activity, documentType, machineId, documentNumber }: Retry): string {
  if (documentType && machineId) return `${documentType} of machine ${machineId}`;
  return documentNumber === undefined ? activity : `document ${documentNumber} of the ledger`;
}

export function attemptOf({ attempt, maxAttempts }: Retry): string {
  return `attempt ${attempt}${maxAttempts > 0 ? ` of ${maxAttempts}` : ''}`;
}

function whenOf({ nextAttemptAt }: Retry, nowMs: number): string {
  if (nextAttemptAt === null) return 'in work';
  const seconds = Math.ceil((Date.parse(nextAttemptAt) - nowMs) / 1_000);
  return seconds > 0 ? `next in ${duration(seconds)}` : 'next now';
}

export function reasonOf({ type, message }: Retry): string {
  // In Temporal's words, which say neither what was lost nor that somebody will take it up.
  if (type === '' && message === 'activity Heartbeat timeout')
    return 'the worker that had it is lost, or cannot reach Temporal; the next free worker takes it up';
  return [type, message].filter((part) => part !== '').join(': ');
}

/** Failures for good. Where the run has ended, whoever started it says them, with the remedy. */
function failures({ progress }: RunStatus, operator: string, options: ViewOptions): Line[] {
  const { columns, maxListed, withoutFailures } = options;
  if (progress === null || progress.failed === 0 || withoutFailures) return [];
  const shown = progress.failures.slice(0, maxListed);
  const types = [...new Set(shown.map(({ type }) => type))];
  return [
    line(),
    line(['bold', `failed ${progress.failed}`]),
    ...shown.flatMap(({ documentType, machineId, type }, index) => [
      ...beside(['red', `${documentType} of machine ${machineId}`], type, columns),
      ...detail(
        shown.slice(index).map(({ message }) => message),
        options,
      ),
    ]),
    ...(maxListed > 0 ? more(progress.failed - shown.length) : []),
    ...types.flatMap((type) =>
      dim(forOperator(`remedy for ${type}: ${remedyFor(type)}`, operator), '  ', options),
    ),
  ];
}

function more(count: number): Line[] {
  return count > 0 ? [line(['dim', `  and ${count} more`])] : [];
}
