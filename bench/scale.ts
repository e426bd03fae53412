import { finish, requirePublished } from './finish';
import { historyOf, type HistoryFacts } from './history';
import { cpuBetween, cpuMsOfParts, processFacts } from './process-facts';
import type { World } from './world';

export interface Sample {
  /** Since the start of the run. */
  ms: number;
  /** Documents that the relay has received. */
  documents: number;
  rssBytes: number;
}

/** One operator with many machines. */
export interface ScaleFacts {
  machines: number;
  documents: number;
  inFlight: number;
  latencyMs: number;
  ms: number;
  /** Documents per second in each quarter of the documents. */
  quartersPerSecond: number[];
  /**
   * Memory of the worker: an average over the second tenth of the documents, and one over the last tenth and
   * the sweep. Averages, because the memory rises and falls with each execution.
   */
  rssBytesSecondTenth: number;
  rssBytesLastTenth: number;
  rssBytesPeak: number;
  cpuMsPerDocument: number;
  /** CPU for each document, by process. Only on Linux. */
  cpuMsByPart?: Record<string, number>;
  history: HistoryFacts;
  samples: Sample[];
}

export interface ScaleOptions {
  machines: number;
  inFlight: number;
  latencyMs: number;
}

/**
 * Short, so that the quarters are exact. A sample is cheap: one file of /proc, and one number of the relay.
 */
const SAMPLE_EVERY_MS = 500;
const SAY_EVERY_MS = 30_000;

export async function scale(
  world: World,
  { machines, inFlight, latencyMs }: ScaleOptions,
  say: (line: string) => void,
): Promise<ScaleFacts> {
  await world.setLatency(latencyMs);
  say(`an operator with ${machines} machines is set up`);
  const operator = await world.addOperator(machines);
  const documents = 2 * machines;
  const worker = await world.startWorker(inFlight);
  try {
    const partsBefore = await cpuMsOfParts(world.parts());
    const before = await processFacts(worker.pid);
    const startedAtMs = performance.now();
    const run = await world.start(operator);
    const everyMs = Math.min(SAMPLE_EVERY_MS, Math.max(50, machines / 2));
    const stopSampling = await sampling(world, worker.pid, everyMs, say);
    let samples: Sample[] = [];
    try {
      await finish(run);
    } finally {
      samples = await stopSampling();
    }
    const ms = performance.now() - startedAtMs;
    const after = await processFacts(worker.pid);
    const cpuMsByPart = cpuBetween(partsBefore, await cpuMsOfParts(world.parts()), documents);
    await requirePublished(world, run, documents);
    return {
      machines,
      documents,
      inFlight,
      latencyMs,
      ms,
      quartersPerSecond: quarters(samples, documents),
      rssBytesSecondTenth: averageRss(samples, documents * 0.1, documents * 0.2),
      rssBytesLastTenth: averageRss(samples, documents * 0.9, documents),
      rssBytesPeak: Math.max(...samples.map(({ rssBytes }) => rssBytes)),
      cpuMsPerDocument: (after.cpuMs - before.cpuMs) / documents,
      ...(cpuMsByPart === undefined ? {} : { cpuMsByPart }),
      history: await historyOf(world.client, run),
      samples,
    };
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
}

/**
 * Samples how many documents the relay has received. Postgres is not asked: that would be a part of the
 * measurement, and slower the longer the run is.
 *
 * @returns a function that ends it, with one last sample
 */
async function sampling(
  world: World,
  pid: number,
  everyMs: number,
  say: (line: string) => void,
): Promise<() => Promise<Sample[]>> {
  const { addresses: before } = await world.askedOfRelay();
  const startedAtMs = performance.now();
  const samples: Sample[] = [];
  let saidAtMs = startedAtMs;
  const sample = async (): Promise<void> => {
    const { addresses } = await world.askedOfRelay();
    const { rssBytes } = await processFacts(pid);
    const nowMs = performance.now();
    samples.push({ ms: nowMs - startedAtMs, documents: addresses - before, rssBytes });
    if (nowMs - saidAtMs < SAY_EVERY_MS) return;
    saidAtMs = nowMs;
    say(`${addresses - before} documents, ${Math.round(rssBytes / 2 ** 20)} MiB`);
  };
  let sampled = sample();
  const timer = setInterval(() => {
    sampled = sampled.then(sample).catch((error: unknown) => say(`no sample: ${String(error)}`));
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await sampled;
    await sample();
    return samples;
  };
}

function averageRss(samples: Sample[], from: number, to: number): number {
  const within = samples.filter(({ documents }) => documents >= from && documents <= to);
  return within.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / within.length;
}

/** Samples from the first document on: the time of the plan is not a part of the rate. */
function quarters(samples: Sample[], documents: number): number[] {
  const at = (count: number): number => {
    const index = samples.findIndex((one) => one.documents >= count);
    const [to, from] = [samples[index], samples[index - 1]];
    if (to === undefined) return NaN;
    if (from === undefined || to.documents === from.documents) return to.ms;
    return from.ms + ((to.ms - from.ms) * (count - from.documents)) / (to.documents - from.documents);
  };
  const begin = samples.findLast((one) => one.documents === 0)?.ms ?? 0;
  const edges = [begin, ...[1, 2, 3, 4].map((quarter) => at((documents * quarter) / 4))];
  return [0, 1, 2, 3].map(
    (quarter) => (documents * 250) / ((edges[quarter + 1] ?? NaN) - (edges[quarter] ?? NaN)),
  );
}
