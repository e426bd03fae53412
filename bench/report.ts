import type { Comparison } from './compare';
import type { FixedCosts } from './costs';
import type { FleetFacts } from './fleet';
import { barChart, lineChart } from './plot';
import type { MachineFacts } from './process-facts';
import type { ScaleFacts } from './scale';

/** What every bench records: when, and on what machine. */
export interface Recorded {
  measuredAt: string;
  machine: MachineFacts;
}

/** What `npm run bench` records. */
export interface BenchResults extends Recorded {
  comparisons: Comparison[];
  costs: FixedCosts;
}

/** What `npm run bench:scale` records. */
export interface ScaleResults extends Recorded {
  scale: ScaleFacts;
}

/** What `npm run bench:fleet` records. */
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
      idealPerSecond === undefined ? '-' : rate(idealPerSecond),
      idealPerSecond === undefined ? '-' : percent(ours.perSecond / idealPerSecond),
      (ours.perSecond / loop.perSecond).toFixed(2),
      (ours.perSecond / sequential.perSecond).toFixed(1),
      loop.cpuMsPerDocument.toFixed(1),
      ours.cpuMsPerDocument.toFixed(1),
      (ours.cpuMsPerDocument / loop.cpuMsPerDocument).toFixed(2),
      ours.eventsPerDocument.toFixed(2),
      ours.bytesPerDocument.toFixed(0),
    ]),
  );
}

export function costsTable(costs: FixedCosts): string {
  return table(
    ['what', 'ms', 'goal'],
    [
      [
        `one machine, bunker at ${costs.latencyMs} ms: the run`,
        costs.smallRunMs.toFixed(0),
        `at most 300 above the next line: ${(costs.smallRunMs - costs.smallLoopMs).toFixed(0)}`,
      ],
      ['its calls alone: the key, then both documents, by the loop (b)', costs.smallLoopMs.toFixed(0), ''],
      ['worker: from its start to its first task', costs.workerStartMs.toFixed(0), 'at most 1500'],
      ['`republish --help`', costs.helpMs.toFixed(0), 'at most 150'],
    ],
  );
}

export function scaleTable(facts: ScaleFacts): string {
  const [first = NaN, , , last = NaN] = facts.quartersPerSecond;
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return table(
    ['what', 'figure', 'goal'],
    [
      ['documents', `${facts.documents} of ${facts.machines} machines`, ''],
      ['documents/s by quarter', facts.quartersPerSecond.map(rate).join(', '), ''],
      ['last quarter of the first', percent(last / first), 'at least 95%'],
      [
        'memory of the worker: over the second tenth of the documents, over the last, at its highest',
        [facts.rssBytesSecondTenth, facts.rssBytesLastTenth, facts.rssBytesPeak].map(mebibytes).join(', '),
        '',
      ],
      [
        'growth of memory, from the second tenth to the last',
        percent(facts.rssBytesLastTenth / facts.rssBytesSecondTenth - 1),
        'under 15%',
      ],
      ['CPU of the worker per document', `${facts.cpuMsPerDocument.toFixed(1)} ms`, ''],
      ['events per document', facts.eventsPerDocument.toFixed(2), 'at most 3.5'],
      ['history bytes per document', facts.bytesPerDocument.toFixed(0), 'at most 600'],
      ['executions', String(facts.history.executions), ''],
      ['events of the largest execution', String(facts.history.largestEvents), 'far below 51,200'],
      ['bytes of the largest execution', String(facts.history.largestBytes), 'far below 50 MiB'],
    ],
  );
}

export function fleetTable({ beside, ...facts }: FleetFacts): string {
  const failures = facts.named.map(({ failure }) => failure).toSorted();
  return table(
    ['what', 'figure', 'goal'],
    [
      ['operators', `${facts.operators}, ${facts.operatorsAtOnce} at once`, ''],
      ['complete', String(facts.complete), 'all but three'],
      ['named', `${failures.length}: ${failures.join(', ')}`, '3'],
      [
        'documents',
        `${facts.documents} in ${(facts.ms / 1000).toFixed(0)} s: ${rate(facts.perSecond)}/s`,
        '',
      ],
      [`an operator with ${beside.smallMachines} machines, alone`, `${beside.aloneMs.toFixed(0)} ms`, ''],
      [
        `the same beside one with ${beside.hugeMachines}, both with bunkers of their own`,
        `${beside.besideMs.toFixed(0)} ms`,
        `not held up: ${(beside.besideMs / beside.aloneMs).toFixed(1)} times`,
      ],
      [
        'documents of the huge one meanwhile, and left',
        `${beside.hugeMeanwhile}, ${beside.hugeLeft}`,
        'it goes on too',
      ],
    ],
  );
}

/** The plots of the comparison, by file name. */
export function comparisonPlots(comparisons: Comparison[]): Record<string, string> {
  const plots: Record<string, string> = {};
  for (const width of new Set(comparisons.map(({ inFlight }) => inFlight))) {
    const own = comparisons.filter(({ inFlight }) => inFlight === width);
    plots[`throughput-${width}.svg`] = lineChart({
      title: `Documents per second against the bunker's latency, ${width} requests in flight`,
      xLabel: 'latency of the bunker, ms',
      yLabel: 'documents/s',
      series: [
        { name: 'a: one by one', points: own.map((one) => [one.latencyMs, one.sequential.perSecond]) },
        { name: 'b: loop, same width', points: own.map((one) => [one.latencyMs, one.loop.perSecond]) },
        { name: 'c: this program', points: own.map((one) => [one.latencyMs, one.ours.perSecond]) },
        {
          name: 'd: ideal',
          points: own.flatMap(({ latencyMs, idealPerSecond }): [number, number][] =>
            idealPerSecond === undefined ? [] : [[latencyMs, idealPerSecond]],
          ),
        },
      ],
    });
  }
  plots['cost.svg'] = barChart({
    title: 'CPU per document in the process that does the work',
    yLabel: 'ms',
    groups: comparisons.map(({ latencyMs, inFlight, loop, ours }) => ({
      name: `${latencyMs}/${inFlight}`,
      values: [
        { name: 'b: loop', value: loop.cpuMsPerDocument },
        { name: 'c: this program', value: ours.cpuMsPerDocument },
      ],
    })),
  });
  return plots;
}

export function scalePlots({ samples }: ScaleFacts): Record<string, string> {
  const rates = samples.flatMap((one, index): [number, number][] => {
    const before = samples[index - 5];
    if (before === undefined || one.documents === before.documents) return [];
    return [[one.documents, ((one.documents - before.documents) * 1000) / (one.ms - before.ms)]];
  });
  return {
    'memory.svg': lineChart({
      title: 'Memory of the worker against documents done',
      xLabel: 'documents',
      yLabel: 'MiB resident',
      series: [{ name: 'worker', points: samples.map((one) => [one.documents, one.rssBytes / 2 ** 20]) }],
    }),
    'rate.svg': lineChart({
      title: 'Documents per second against documents done',
      xLabel: 'documents',
      yLabel: 'documents/s',
      series: [{ name: 'this program', points: rates }],
    }),
  };
}
