import type { Comparison } from './compare';
import type { FixedCosts } from './costs';
import type { FleetFacts } from './fleet';
import { allOf, type Goal, planningShare } from './goals';
import type { HistoryFacts } from './history';
import type { MachineFacts } from './process-facts';
import type { ScaleFacts } from './scale';

/** The part of every record: when and on which machine it was measured. */
export interface Recorded {
  measuredAt: string;
  machine: MachineFacts;
}

/** The record of `npm run bench`. */
export interface BenchResults extends Recorded {
  comparisons: Comparison[];
  costs: FixedCosts;
}

/** The record of `npm run bench:scale`. */
export interface ScaleResults extends Recorded {
  scale: ScaleFacts;
}

/** The record of `npm run bench:fleet`. */
export interface FleetResults extends Recorded {
  fleet: FleetFacts;
}

type Row = string[];

/** A Markdown table. */
function table(head: Row, rows: Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const percent = (part: number): string => `${(part * 100).toFixed(0)}%`;
const rate = (value: number): string => value.toFixed(1);
const ms = (value: number): string => `${value.toFixed(0)} ms`;
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
/** Shown for a value that was not measured. */
const orDash = (value: number | undefined, write: (value: number) => string): string =>
  value === undefined ? '-' : write(value);
const cpu = (value: number | undefined): string => orDash(value, (known) => known.toFixed(2));

export function goalsTable(goals: Goal[]): string {
  return table(
    ['what', 'here', 'goal', ''],
    goals.map(({ what, here, goal, met }) => [what, here, goal, met ? 'met' : '**not met**']),
  );
}

export function comparisonTable(comparisons: Comparison[]): string {
  const head = [
    'latency',
    'in flight',
    'a: one by one /s',
    'b: loop /s',
    'c: ours /s',
    'd: ideal /s',
    'c of d',
    'c of b',
    'c of a',
    'CPU b, ms',
    'CPU c, ms',
    'CPU c of b',
    'CPU c, all processes, ms',
    'events',
    'bytes',
  ];
  return table(
    head,
    comparisons.map(({ latencyMs, inFlight, sequential, loop, ours, idealPerSecond }) => [
      `${latencyMs} ms`,
      String(inFlight),
      rate(sequential.perSecond),
      rate(loop.perSecond),
      rate(ours.perSecond),
      orDash(idealPerSecond, rate),
      orDash(idealPerSecond && ours.perSecond / idealPerSecond, percent),
      (ours.perSecond / loop.perSecond).toFixed(2),
      (ours.perSecond / sequential.perSecond).toFixed(1),
      cpu(loop.cpuMsPerDocument),
      cpu(ours.cpuMsPerDocument),
      (ours.cpuMsPerDocument / loop.cpuMsPerDocument).toFixed(2),
      cpu(allOf(ours.cpuMsByPart)),
      (ours.history.events / ours.documents).toFixed(2),
      (ours.history.bytes / ours.documents).toFixed(0),
    ]),
  );
}

/** The activities of a run, with their names in a table. */
const STEPS = {
  plan: 'loadMachines',
  proof: 'proveSigner',
  pages: 'republishDocuments',
  sweep: 'sweep',
  audit: 'persistAudit',
};

const PARTS = ['worker', 'Temporal', 'Postgres', 'relay', 'bunker'];

/** How the time of `c` and the CPU of the machine are used. */
export function stepsTable(comparisons: Comparison[]): string {
  const steps = Object.keys(STEPS);
  return table(
    [
      'latency',
      'in flight',
      'documents',
      'run, ms',
      ...steps,
      'between them',
      ...PARTS.map((part) => `CPU ${part}, ms`),
    ],
    comparisons.map(({ latencyMs, inFlight, ours }) => [
      `${latencyMs} ms`,
      String(inFlight),
      String(ours.documents),
      ours.ms.toFixed(0),
      ...stepsOf(ours.history).map((value) => orDash(value, (known) => known.toFixed(0))),
      between(ours.ms, ours.history).toFixed(0),
      ...PARTS.map((part) => cpu(ours.cpuMsByPart?.[part])),
    ]),
  );
}

function stepsOf({ activities }: HistoryFacts): (number | undefined)[] {
  return Object.values(STEPS).map((type) => activities[type]?.ms);
}

function between(runMs: number, history: HistoryFacts): number {
  return stepsOf(history).reduce<number>((left, value = 0) => left - value, runMs);
}

const counted = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

export function costsTable({ latencyMs, unset, small, workerStartMs, helpMs }: FixedCosts): string {
  return table(
    ['what', 'figure'],
    [
      [`nothing set, bunker at ${unset.latencyMs} ms: documents/s`, rate(unset.perSecond)],
      [`one machine, bunker at ${latencyMs} ms: the run`, ms(small.runMs)],
      ['what it asked of the bunker', counted(small.bunkerRequests)],
      ['what it asked of the relay', counted(small.relay)],
      ['how long the bunker was at work for the run', ms(small.runBusyMs)],
      ['its calls alone: key, probe, then both documents, by the loop (b)', ms(small.loopMs)],
      ['how long the bunker was at work for the loop', ms(small.loopBusyMs)],
      ['the run above its raw calls', ms(small.aboveCallsMs)],
      ['worker: from its start to its first task', ms(workerStartMs)],
      ['`republish --help`', ms(helpMs)],
    ],
  );
}

export function scaleTable(facts: ScaleFacts): string {
  const { history, documents } = facts;
  return table(
    ['what', 'figure'],
    [
      ['documents', `${documents} of ${facts.machines} machines, in ${(facts.ms / 1000).toFixed(0)} s`],
      ['documents/s by quarter', facts.quartersPerSecond.map(rate).join(', ')],
      [
        'memory of the worker: over the second tenth of the documents, over the last, at its highest',
        [facts.rssBytesSecondTenth, facts.rssBytesLastTenth, facts.rssBytesPeak].map(mebibytes).join(', '),
      ],
      ['CPU for a document, ms', cpuByPart(facts.cpuMsByPart) ?? `worker ${cpu(facts.cpuMsPerDocument)}`],
      ['events of history for a document', (history.events / documents).toFixed(2)],
      ['bytes of history for a document', (history.bytes / documents).toFixed(0)],
      [
        'planning, and its share of the run',
        `${orDash(history.activities.loadMachines?.ms, ms)}, ${(planningShare(history) * 100).toFixed(1)}%`,
      ],
      ['sweep', orDash(history.activities.sweep?.ms, ms)],
      ['executions', String(history.executions)],
      ['events of the largest execution (Temporal ends one at 51,200)', String(history.largestEvents)],
      ['bytes of the largest execution (Temporal ends one at 50 MiB)', String(history.largestBytes)],
    ],
  );
}

function cpuByPart(parts: Record<string, number> | undefined): string | undefined {
  if (parts === undefined) return undefined;
  const each = Object.entries(parts).map(([part, own]) => `${part} ${cpu(own)}`);
  return `${each.join(', ')}; all ${cpu(allOf(parts))}`;
}

export function fleetTable({ beside, ...facts }: FleetFacts): string {
  const failures = facts.named.map(({ failure }) => failure).toSorted();
  return table(
    ['what', 'figure'],
    [
      ['operators', `${facts.operators}, ${facts.operatorsAtOnce} at once`],
      ['complete', String(facts.complete)],
      ['named', `${failures.length}: ${failures.join(', ')}`],
      ['documents', `${facts.documents} in ${(facts.ms / 1000).toFixed(0)} s: ${rate(facts.perSecond)}/s`],
      ['CPU for a document, ms', cpuByPart(facts.cpuMsByPart) ?? '-'],
      [`an operator with ${beside.smallMachines} machines, alone`, ms(beside.aloneMs)],
      [
        `the same next to one with ${beside.hugeMachines}, both with bunkers of their own`,
        `${ms(beside.besideMs)}: ${(beside.besideMs / beside.aloneMs).toFixed(1)} times`,
      ],
      [
        'documents of the huge one that were signed meanwhile, and left',
        `${beside.hugeMeanwhile}, ${beside.hugeLeft}`,
      ],
    ],
  );
}
