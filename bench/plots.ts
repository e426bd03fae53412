import type { Comparison } from './compare';
import { barChart, lineChart } from './plot';
import type { ScaleFacts } from './scale';

/** A plot of docs/performance.md. */
export interface Plot {
  file: string;
  title: string;
  svg: string;
}

export function comparisonPlots(comparisons: Comparison[]): Plot[] {
  const widths = [...new Set(comparisons.map(({ inFlight }) => inFlight))];
  const throughput = widths.flatMap((width): Plot[] => {
    const own = comparisons.filter(({ inFlight }) => inFlight === width);
    // A line needs two points.
    return own.length < 2 ? [] : [throughputPlot(width, own)];
  });
  const title = 'CPU per document in the process that does the work';
  const svg = barChart({
    title,
    yLabel: 'ms',
    groups: comparisons.map(({ latencyMs, inFlight, loop, ours }) => ({
      name: `${latencyMs}/${inFlight}`,
      values: [
        { name: 'b: loop', value: loop.cpuMsPerDocument },
        { name: 'c: this program', value: ours.cpuMsPerDocument },
      ],
    })),
  });
  return [...throughput, { file: 'cost.svg', title, svg }];
}

function throughputPlot(width: number, own: Comparison[]): Plot {
  const title = `Documents per second against the bunker's latency, ${width} requests in flight`;
  const svg = lineChart({
    title,
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
  return { file: `throughput-${width}.svg`, title, svg };
}

/** The number of samples for a rate. With fewer, each page of documents would be a spike. */
const SAMPLES_OF_A_RATE = 20;

export function scalePlots({ samples }: ScaleFacts): Plot[] {
  const distance = Math.max(2, Math.min(SAMPLES_OF_A_RATE, Math.floor(samples.length / 10)));
  const rates = samples.flatMap((one, index): [number, number][] => {
    const before = samples[index - distance];
    if (before === undefined || one.documents === before.documents) return [];
    return [[one.documents, ((one.documents - before.documents) * 1000) / (one.ms - before.ms)]];
  });
  const [memory, rateTitle] = [
    'Memory of the worker against documents done',
    'Documents per second against documents done',
  ];
  return [
    {
      file: 'memory.svg',
      title: memory,
      svg: lineChart({
        title: memory,
        xLabel: 'documents',
        yLabel: 'MiB resident',
        series: [{ name: 'worker', points: samples.map((one) => [one.documents, one.rssBytes / 2 ** 20]) }],
      }),
    },
    {
      file: 'rate.svg',
      title: rateTitle,
      svg: lineChart({
        title: rateTitle,
        xLabel: 'documents',
        yLabel: 'documents/s',
        series: [{ name: 'this program', points: rates }],
      }),
    },
  ];
}
