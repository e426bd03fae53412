import { remedyFor } from '../../../contract/failures';
import { pageName } from '../../../contract/page-name';
import type { Stages, WaitingDocument } from '../../../contract/progress';
import { MAX_WAITING } from '../../live-values';
import type { RunStatus } from '../../run-status';
import type { Retry, Step } from '../../run-steps';
import { type Line, line, type Style } from '../terminal/paint';
import { widthOf, wrap } from '../terminal/text';
import { forOperator } from './commands';
import { duration } from './rate';

export interface ListOptions {
  columns: number;
  nowMs: number;
  /** Entries that there is room for in each list; their numbers are always told. */
  maxListed: number;
  /** Cuts reasons and remedies to a line each: better than none. */
  isBrief?: boolean;
  /** Leaves out the failures of a run that has ended: somebody tells them after it, with the remedies. */
  withoutFailures?: boolean;
}

export function retries({ retrying }: RunStatus, options: ListOptions): Line[] {
  const shown = retrying.slice(0, options.maxListed);
  return list(`retrying ${retrying.length}`, retrying.length, options, [
    ...shown.flatMap((retry, index) => [
      ...beside(
        ['yellow', nameOf(retry)],
        `${attemptOf(retry)}, ${whenOf(retry, options.nowMs)}`,
        options.columns,
      ),
      ...detail(shown.slice(index).map(reasonOf), options),
    ]),
  ]);
}

/**
 * Documents that have no outcome yet, and why. Those that meet with no trouble have it on their line: it is a
 * word or two.
 */
export function waitingDocuments({ waiting, progress, closedAt }: RunStatus, options: ListOptions): Line[] {
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

/** Failures for good. Where the run has ended, whoever started it says them, with the remedy. */
export function failures({ progress, closedAt }: RunStatus, operator: string, options: ListOptions): Line[] {
  const { columns, maxListed, withoutFailures } = options;
  if (progress === null || progress.failed === 0 || withoutFailures) return [];
  const shown = progress.failures.slice(0, maxListed);
  // What blocks a run that goes on stands above with its remedy.
  const above = closedAt === null ? progress.blocked?.type : undefined;
  const types = new Set(shown.map(({ type }) => type).filter((type) => type !== above));
  return [
    ...list(`failed ${progress.failed}`, progress.failed, options, [
      ...shown.flatMap((failure, index) => [
        ...beside(['red', documentOf(failure)], failure.type, columns),
        ...detail(
          shown.slice(index).map(({ message }) => message),
          options,
        ),
      ]),
    ]),
    ...[...types].flatMap((type) =>
      dim(forOperator(`remedy for ${type}: ${remedyFor(type)}`, operator), '  ', options),
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

/** What there is to say of an entry after its name, or below where the line ends before. */
function beside(name: readonly [Style, string], text: string, columns: number): Line[] {
  return 4 + widthOf(name[1]) + widthOf(text) < columns
    ? [line('  ', name, `  ${text}`)]
    : [line('  ', name), line(`    ${text}`)];
}

/**
 * In full: a relay's reason stands at the end of a long message, and is what somebody has to mend. Entries
 * that follow each other and have the same one share it.
 */
function detail([text = '', next]: string[], options: ListOptions): Line[] {
  return text === next ? [] : dim(text.replace(/\s+/g, ' '), '    ', options);
}

function dim(text: string, indent: string, { columns, isBrief }: ListOptions): Line[] {
  const lines = isBrief ? [text] : wrap(text, columns - 1 - indent.length);
  return lines.map((part) => line(['dim', indent + part]));
}

export function documentOf({ documentType, machineId }: { documentType: string; machineId: string }): string {
  return `${documentType} of machine ${machineId}`;
}

/**
 * `bitspire-fees, machines 101-200 of 10,000`; by number while no worker says how many machines there are.
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

/** Temporal's own words, which say neither what happened nor that somebody goes on. */
const TIMEOUTS: Record<string, string> = {
  'activity Heartbeat timeout':
    'the worker that had it is lost, or cannot reach Temporal; the next free worker takes it up',
  'activity StartToClose timeout':
    'the attempt did not end within its bound; the next one goes on with what is in the ledger',
};

export function reasonOf({ type, message }: Retry): string {
  if (type === '' && Object.hasOwn(TIMEOUTS, message)) return TIMEOUTS[message] ?? message;
  return [type, message].filter((part) => part !== '').join(': ');
}
