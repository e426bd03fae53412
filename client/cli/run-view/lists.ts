import { type FailureType, remedyFor } from '../../../contract/failures';
import { documentOf } from '../../../rules/machine-name';
import { pageName } from '../../../rules/page-name';
import type { Stages, WaitingDocument } from '../../../contract/progress';
import { notAttemptedLine, tellFailures } from '../../../rules/told-failures';
import { MAX_WAITING } from '../../live-values';
import type { RunStatus } from '../../run-status';
import type { Retry, Step } from '../../run-steps';
import { type Line, line, type Style } from '../terminal/paint';
import { widthOf } from '../terminal/text';
import type { Ended } from './attention';
import { completeCommands } from '../command-lines';
import { duration } from './rate';

export interface ListOptions {
  columns: number;
  nowMs: number;
  /** Each list shows at most so many entries. The number of all entries is always shown. */
  maxListed: number;
  /** Cuts each reason and remedy to one line. */
  isBrief?: boolean;
  /** Leaves out the failures of a run that has ended: the command prints them below, with the remedies. */
  withoutFailures?: boolean;
  /** The cause of the end of the run, where it is shown. */
  ended?: Ended | undefined;
}

export function retries({ retrying }: RunStatus, operator: string, options: ListOptions): Line[] {
  const shown = retrying.slice(0, options.maxListed);
  return list(`retrying ${retrying.length}`, retrying.length, options, [
    ...shown.flatMap((retry, index) => [
      ...beside(
        ['yellow', nameOf(retry)],
        `${attemptOf(retry)}, ${whenOf(retry, options.nowMs)}`,
        options.columns,
      ),
      ...detail(shown.slice(index).map(reasonOf), operator, options),
    ]),
  ]);
}

/** Open documents, and what they wait for. Without trouble that is a word or two, on the same line. */
export function waitingDocuments(
  { waiting, progress, closedAt }: RunStatus,
  operator: string,
  options: ListOptions,
): Line[] {
  const { columns, nowMs, maxListed } = options;
  if (closedAt !== null) return [];
  const shown = waiting.slice(0, maxListed);
  const count = `${waiting.length}${waiting.length < MAX_WAITING ? '' : ' or more'}`;
  const open = progress === null ? '' : ` of ${Math.max(progress.open, waiting.length)} without outcome`;
  return list(`waiting ${count}${open}`, waiting.length, options, [
    ...shown.flatMap((document, index) =>
      document.since === undefined
        ? beside(['dim', documentOf(document)], document.why, columns)
        : [
            ...beside(['yellow', documentOf(document)], troubleOf(document, nowMs), columns),
            ...detail(
              shown.slice(index).map((other) => (other.since === undefined ? '' : other.why)),
              operator,
              options,
            ),
          ],
    ),
  ]);
}

export function stepsInWork({ inWork }: RunStatus, options: ListOptions): Line[] {
  const shown = inWork.slice(0, options.maxListed);
  return list(`in work ${inWork.length}`, inWork.length, options, [
    ...shown.flatMap((step) => beside(['dim', nameOf(step)], howFar(step, options.nowMs), options.columns)),
  ]);
}

/** The final failures. */
export function failures({ progress, closedAt }: RunStatus, operator: string, options: ListOptions): Line[] {
  const { columns, maxListed, withoutFailures, ended } = options;
  if (progress === null || progress.failed === 0 || withoutFailures) return [];
  const { blocked } = progress;
  const { reasons, notAttempted, unnamed } = tellFailures(progress, {
    cause: blocked,
    documentTypes: Object.keys(progress.documentTypes),
  });
  const lines: Line[] = [line(), line(['bold', `failed ${progress.failed}`])];
  let room = maxListed;
  const types = new Set<FailureType>();
  for (const { type, message, documents } of reasons) {
    const shown = documents.slice(0, room);
    if (shown.length === 0) break;
    room -= shown.length;
    types.add(type);
    lines.push(...shown.flatMap((document) => beside(['red', documentOf(document)], type, columns)));
    lines.push(...dim(completeCommands(message.replace(/\s+/g, ' '), operator), '    ', options));
  }
  if (notAttempted > 0) lines.push(line('  ', ['red', notAttemptedLine(notAttempted)]));
  const named = reasons.reduce((sum, { documents }) => sum + documents.length, 0);
  const more = maxListed > 0 ? named - (maxListed - room) + unnamed : 0;
  if (more > 0) lines.push(line(['dim', `  and ${more} more`]));
  // The remedy of what blocks the run, or of what it ended on, is shown above.
  types.delete((closedAt === null ? blocked?.type : ended?.type) as FailureType);
  return [
    ...lines,
    ...[...types].flatMap((type) =>
      dim(completeCommands(`remedy for ${type}: ${remedyFor(type)}`, operator), '  ', options),
    ),
  ];
}

function list(heading: string, count: number, { maxListed }: ListOptions, entries: Line[]): Line[] {
  if (count === 0) return [];
  const more = maxListed > 0 && count > maxListed ? count - maxListed : 0;
  return [
    line(),
    line(['bold', heading]),
    ...entries,
    ...(more > 0 ? [line(['dim', `  and ${more} more`])] : []),
  ];
}

/** The text of an entry: after its name, or on the next line where it has no room. */
function beside(name: readonly [Style, string], text: string, columns: number): Line[] {
  return 4 + widthOf(name[1]) + widthOf(text) < columns
    ? [line('  ', name, `  ${text}`)]
    : [line('  ', name), line(`    ${text}`)];
}

/**
 * A reason in full: the words of a relay are at the end of a long message, and tell what to repair. Entries
 * with the same reason that follow each other share it.
 */
function detail([text = '', next]: string[], operator: string, options: ListOptions): Line[] {
  return text === next ? [] : dim(completeCommands(text.replace(/\s+/g, ' '), operator), '    ', options);
}

function dim(text: string, indent: string, { isBrief }: ListOptions): Line[] {
  const whole = line(['dim', indent + text]);
  return [isBrief ? { ...whole, isBrief } : whole];
}

/**
 * `bitspire-fees, machines 101-200 of 10,000`, or the number of the page while the machines are not known.
 */
export function nameOf({ activity, page, documentType, machines }: Step): string {
  if (page === undefined || documentType === undefined) return activity;
  return machines === undefined
    ? `${documentType}, page ${page}`
    : pageName({ documentType, ...machines }, machines.of);
}

export function attemptOf({ attempt, maxAttempts }: Retry): string {
  return `attempt ${attempt}${maxAttempts > 0 ? ` of ${maxAttempts}` : ''}`;
}

/** `for 3 min, tried 4 times`. */
export function troubleOf({ since, tries }: WaitingDocument, nowMs: number): string {
  return [
    ...(since === undefined ? [] : [`for ${duration((nowMs - Date.parse(since)) / 1_000)}`]),
    ...(tries === undefined || tries === 0 ? [] : [`tried ${tries === 1 ? 'once' : `${tries} times`}`]),
  ].join(', ');
}

function whenOf({ nextAttemptAt }: Retry, nowMs: number): string {
  if (nextAttemptAt === null) return 'in work';
  const seconds = Math.ceil((Date.parse(nextAttemptAt) - nowMs) / 1_000);
  return seconds > 0 ? `next in ${duration(seconds)}` : 'next now';
}

function howFar({ startedAt, stages }: Step, nowMs: number): string {
  const since =
    startedAt === null ? 'waits for a worker' : `for ${duration((nowMs - Date.parse(startedAt)) / 1_000)}`;
  return stages === undefined ? since : `${since}  ${stageWords(stages)}`;
}

/** `encrypted 12, signed 9, sent 9, standing 8`. */
export function stageWords(stages: Stages): string {
  return (['encrypted', 'signed', 'sent', 'standing'] as const)
    .map((stage) => `${stage} ${stages[stage]}`)
    .join(', ');
}

/** Messages of Temporal that tell neither what happened nor that the next attempt comes. */
const TIMEOUTS: Record<string, string> = {
  'activity Heartbeat timeout':
    'the worker that had it is lost, or cannot reach Temporal; the next free worker takes it up',
  'activity StartToClose timeout':
    'the attempt did not end within its bound; the next one continues from the ledger',
};

export function reasonOf({ type, message }: Retry): string {
  if (type === '' && Object.hasOwn(TIMEOUTS, message)) return TIMEOUTS[message] ?? message;
  return [type, message].filter((part) => part !== '').join(': ');
}
