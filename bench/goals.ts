import type { Comparison, Shape } from './compare';
import type { FixedCosts } from './costs';
import type { FleetFacts } from './fleet';
import type { HistoryFacts } from './history';
import type { ScaleFacts } from './scale';

/** A goal of the bench, and whether the measurement meets it. */
export interface Goal {
  what: string;
  /** The measured values, as text. */
  here: string;
  /** The limit, as text. */
  goal: string;
  met: boolean;
}

/** The direction of a goal, and the format of its values. */
interface Bound {
  atLeast?: number;
  atMost?: number;
  write(figure: number): string;
}

const times = (figure: number): string => figure.toFixed(2);
/** With one decimal: 89.6% must not be shown as 90%. */
const percent = (part: number): string => `${(part * 100).toFixed(1)}%`;
const milliseconds = (ms: number): string => `${ms.toFixed(ms < 100 ? 2 : 0)} ms`;
const whole = (figure: number): string => figure.toFixed(0);

/** @returns empty: nothing was measured. The goal is met if every value meets it */
export function goal(what: string, figures: readonly (number | undefined)[], bound: Bound): Goal[] {
  const measured = figures.filter((figure) => figure !== undefined);
  if (measured.length === 0) return [];
  const { atLeast = -Infinity, atMost = Infinity, write } = bound;
  return [
    {
      what,
      here: measured.map(write).join(', '),
      goal: bound.atLeast === undefined ? `at most ${write(atMost)}` : `at least ${write(atLeast)}`,
      met: measured.every((figure) => figure >= atLeast && figure <= atMost),
    },
  ];
}

/** With fewer documents, the fixed cost of a run is too large a part of the cost for each document. */
const MANY_DOCUMENTS = 1_000;

/** Below this latency the CPU for a document is the limit, not the number of requests in flight. */
const UNSET_FROM_MS = 100;
const CPU_OF_LOOP = 0.25;
const CPU_OF_ALL_MS = 6;
const EVENTS = 0.15;
const BYTES = 180;

export function comparisonGoals(comparisons: Comparison[]): Goal[] {
  const ofLoop = (shape: Shape): number | undefined => {
    const found = find(comparisons, shape);
    return found && found.ours.perSecond / found.loop.perSecond;
  };
  const ofIdeal = (latencyMs: number, inFlight: number, atLeast: number): Goal[] => {
    const found = find(comparisons, { latencyMs, inFlight });
    const share = found?.idealPerSecond && found.ours.perSecond / found.idealPerSecond;
    return goal(`c of d, ${latencyMs} ms, ${inFlight} in flight`, [share], { atLeast, write: percent });
  };
  const many = comparisons.filter(({ ours }) => ours.documents >= MANY_DOCUMENTS);
  return [
    ...goal(
      'c of b, 0 ms, 8 and 16 in flight',
      [8, 16].map((inFlight) => ofLoop({ latencyMs: 0, inFlight })),
      { atLeast: 3, write: times },
    ),
    ...ofIdeal(50, 16, 0.9),
    ...ofIdeal(50, 32, 0.85),
    ...ofIdeal(100, 8, 0.97),
    ...ofIdeal(100, 16, 0.95),
    ...goal(
      "CPU of c's process of b's, every row",
      comparisons.map(({ ours, loop }) => ours.cpuMsPerDocument / loop.cpuMsPerDocument),
      { atMost: CPU_OF_LOOP, write: times },
    ),
    ...goal(
      'CPU of all processes for a document, every row',
      comparisons.map(({ ours }) => allOf(ours.cpuMsByPart)),
      { atMost: CPU_OF_ALL_MS, write: milliseconds },
    ),
    ...historyGoals(many.map(({ ours }) => ours)),
  ];
}

export function costsGoals(
  { unset, small, workerStartMs, helpMs }: FixedCosts,
  comparisons: Comparison[],
): Goal[] {
  const loop = find(comparisons, { latencyMs: unset.latencyMs, inFlight: 8 })?.loop;
  return [
    ...goal(
      `nothing set, bunker at ${unset.latencyMs} ms: of b with 8 in flight`,
      [unset.latencyMs >= UNSET_FROM_MS ? loop && unset.perSecond / loop.perSecond : undefined],
      { atLeast: 4, write: times },
    ),
    ...goal('one machine: above its raw calls', [small.aboveCallsMs], { atMost: 150, write: milliseconds }),
    ...goal('worker: from its start to its first task', [workerStartMs], {
      atMost: 1_500,
      write: milliseconds,
    }),
    ...goal('`republish --help`', [helpMs], { atMost: 150, write: milliseconds }),
  ];
}

export function scaleGoals(facts: ScaleFacts): Goal[] {
  const [first = NaN, , , last = NaN] = facts.quartersPerSecond;
  return [
    ...goal('last quarter of the first', [last / first], { atLeast: 0.95, write: percent }),
    ...goal(
      'growth of memory, from the second tenth to the last',
      [facts.rssBytesLastTenth / facts.rssBytesSecondTenth - 1],
      { atMost: 0.15, write: percent },
    ),
    ...goal('CPU of all processes for a document', [allOf(facts.cpuMsByPart)], {
      atMost: CPU_OF_ALL_MS,
      write: milliseconds,
    }),
    ...(facts.documents >= MANY_DOCUMENTS ? historyGoals([facts]) : []),
    ...goal('planning, share of the run', [planningShare(facts.history)], { atMost: 0.02, write: percent }),
  ];
}

export function fleetGoals(facts: FleetFacts): Goal[] {
  return [
    ...goal('complete: all but the three that are broken', [facts.complete], {
      atLeast: facts.operators - 3,
      write: whole,
    }),
    ...goal('documents/s', [facts.perSecond], { atLeast: 80, write: whole }),
    ...goal('documents of the huge one that were signed meanwhile', [facts.beside.hugeMeanwhile], {
      atLeast: 1,
      write: whole,
    }),
  ];
}

function historyGoals(runs: { documents: number; history: HistoryFacts }[]): Goal[] {
  return [
    ...goal(
      'events of history for a document',
      runs.map(({ history, documents }) => history.events / documents),
      { atMost: EVENTS, write: times },
    ),
    ...goal(
      'bytes of history for a document',
      runs.map(({ history, documents }) => history.bytes / documents),
      { atMost: BYTES, write: whole },
    ),
  ];
}

/** The part of a run before its first document begins. */
export function planningShare({ activities, ms }: HistoryFacts): number {
  return (activities.loadMachines?.ms ?? NaN) / ms;
}

/** CPU of all processes together. */
export function allOf(cpuMsByPart: Record<string, number> | undefined): number | undefined {
  return cpuMsByPart && Object.values(cpuMsByPart).reduce((sum, ms) => sum + ms, 0);
}

function find(comparisons: Comparison[], { latencyMs, inFlight }: Shape): Comparison | undefined {
  return comparisons.find((one) => one.latencyMs === latencyMs && one.inFlight === inFlight);
}
