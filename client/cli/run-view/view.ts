import { givenUpWords, howFar } from '../../../rules/how-far';
import { type Counts, OUTCOMES, type Progress } from '../../../contract/progress';
import { traitsOf } from '../../../contract/failures';
import type { RunStatus } from '../../run-status';
import { fitted, type Line, line, type Span, type Style } from '../terminal/paint';
import { padEnd, padStart, widthOf } from '../terminal/text';
import { endingLines, troubleLines, personLines } from './attention';
import { failures, type ListOptions, retries, stageWords, stepsInWork, waitingDocuments } from './lists';
import { duration, secondsLeft } from './rate';

export interface ViewOptions extends ListOptions {
  /** Documents per second, where it is known. */
  perSecond?: number | undefined;
  /** Leaves out the table of document types: reasons are more useful where there is no room for both. */
  withoutTypes?: boolean;
}

/** The view of a run for people: `status` prints it once, `start` and `watch` redraw it in place. */
export function runView(status: RunStatus, operator: string, options: ViewOptions): Line[] {
  const { progress } = status;
  const failed = failures(status, operator, options);
  // A holding run waits for a decision about its failed documents. A shared cause has its own remedy.
  const isToBeDecided = progress?.phase === 'holding' && progress.blocked === undefined;
  const lines = [
    headline(status, operator, options.nowMs),
    ...endingLines(options.ended),
    ...(progress === null ? [] : bar(progress, status, options)),
    ...stagesLine(status),
    ...(progress === null || options.withoutTypes ? [] : byType(progress, options.columns)),
    ...troubleLines(status, operator, options.columns),
    ...(isToBeDecided ? failed : []),
    ...personLines(status, operator, options.columns),
    ...retries(status, operator, options),
    ...waitingDocuments(status, operator, options),
    ...(isToBeDecided ? [] : failed),
    ...stepsInWork(status, options),
  ];
  // A row that is full to its last column is broken by some terminals.
  return lines.flatMap((each) => fitted(each, options.columns - 1));
}

function headline(
  { outcome, startedAt, closedAt, runId, progress, obstacle }: RunStatus,
  operator: string,
  nowMs: number,
): Line {
  const seconds = ((closedAt === null ? nowMs : Date.parse(closedAt)) - Date.parse(startedAt)) / 1_000;
  // Temporal's status is RUNNING although no worker is there.
  const state = obstacle === null ? undefined : traitsOf(obstacle.type).obstacle;
  const still = state === 'passing' ? undefined : state;
  const paused = progress?.paused && 'paused';
  const word = outcome ?? (closedAt === null ? (paused ?? still ?? progress?.phase ?? 'running') : 'ended');
  const styles: Record<string, Style> = {
    ...{ complete: 'green', incomplete: 'red', failed: 'red', paused: 'yellow', holding: 'yellow' },
  };
  if (still !== undefined) styles[still] = 'yellow';
  return line(
    ['bold', operator],
    '  ',
    [styles[word] ?? 'cyan', word],
    progress?.cancelling && closedAt === null ? ' (cancelled: what is signed is finished)' : '',
    // The age of the run: the phase, or a pause, may have begun a moment ago.
    [
      'dim',
      closedAt === null
        ? `  run of ${duration(seconds)}  ${runId}`
        : `  after ${duration(seconds)}  run ${runId}`,
    ],
  );
}

/** Full cells are standing documents. Failed ones have another character, also without colour. */
function bar(progress: Progress, status: RunStatus, { columns, perSecond }: ViewOptions): Line[] {
  const { done, of, percent } = howFar(progress);
  const { failed } = progress;
  if (of === 0) return [];
  if (percent === undefined) return [line(`${done} of ${of}${givenUpWords(progress)}`)];
  const text = `  ${percent}%  ${done} of ${of}${givenUpWords(progress)}${timing(status, perSecond)}`;
  const width = Math.max(0, Math.min(40, columns - 1 - widthOf(text)));
  const green = Math.floor((done * width) / of);
  // At least one cell for failures, so that they are visible.
  const red = failed === 0 ? 0 : Math.min(width - green, Math.max(1, Math.round((failed * width) / of)));
  return [
    line(
      ['green', '█'.repeat(green)],
      ['red', '▒'.repeat(red)],
      ['dim', '░'.repeat(width - green - red)],
      text,
    ),
  ];
}

function timing(status: RunStatus, perSecond: number | undefined): string {
  if (perSecond === undefined || perSecond < 0.05 || status.closedAt !== null) return '';
  const seconds = secondsLeft(status, perSecond);
  const left = seconds === undefined ? '' : `  ${duration(seconds)} left`;
  return `  ${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s${left}`;
}

/** The stages change before any outcome does: a slow bunker encrypts one document after the other. */
function stagesLine({ progress, stages, closedAt }: RunStatus): Line[] {
  const isKnown = Object.values(stages).some((documents) => documents > 0);
  if (closedAt !== null || !(isKnown || (progress?.planned ?? 0) > 0)) return [];
  return [line(['dim', stageWords(stages)])];
}

const STYLES: Partial<Record<keyof Counts, Style>> = { published: 'green', failed: 'red', skipped: 'yellow' };

/** A table where it has room, else a line for each document type without zeros. */
function byType({ documentTypes, ...total }: Progress, columns: number): Line[] {
  const rows = Object.entries({ ...documentTypes, total });
  const isEmpty = ['planned' as const, ...OUTCOMES].every((key) => total[key] === 0);
  if (rows.length === 1 || isEmpty) return [];
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
  const { done, of } = howFar(counts);
  const numbers = `${done} of ${of}${givenUpWords(counts)}`;
  const all = outcomes.join(', ');
  if (all === '') return [line(['bold', type], ` ${numbers}`)];
  if (widthOf(`${type} ${numbers}  ${all}`) < columns)
    return [line(['bold', type], ` ${numbers}  `, ['dim', all])];
  return [line(['bold', type], ` ${numbers}`), line(['dim', `  ${all}`])];
}
