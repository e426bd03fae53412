import { historyOf, type HistoryFacts } from './history';
import { processFacts } from './process-facts';
import type { World } from './world';

export interface Sample {
  /** Since the run was started. */
  ms: number;
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
   * Memory of the worker, averaged over the second and over the last tenth of the documents: it rises and falls with each
   * execution, so that one sample would say where in it that was.
   */
  rssBytesSecondTenth: number;
  rssBytesLastTenth: number;
  rssBytesPeak: number;
  cpuMsPerDocument: number;
  history: HistoryFacts;
  eventsPerDocument: number;
  bytesPerDocument: number;
  samples: Sample[];
}

export interface ScaleOptions {
  machines: number;
  inFlight: number;
  latencyMs: number;
}

export async function scale(
  world: World,
  { machines, inFlight, latencyMs }: ScaleOptions,
  say: (line: string) => void,
): Promise<ScaleFacts> {
  await world.setLatency(latencyMs);
  const operator = await world.addOperator(machines);
  const worker = await world.startWorker(inFlight);
  try {
    const before = await processFacts(worker.pid);
    const startedAtMs = performance.now();
    const run = await world.start(operator);
    const samples: Sample[] = [];
    const sample = async (): Promise<void> => {
      const documents = await settled(world, run.runId);
      const { rssBytes } = await processFacts(worker.pid);
      samples.push({ ms: performance.now() - startedAtMs, documents, rssBytes });
    };
    const everyMs = Math.min(2_000, Math.max(50, machines / 2));
    let sampling: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      sampling = sampling.then(sample).catch((error: unknown) => say(`no sample: ${String(error)}`));
      const last = samples.at(-1);
      if (last !== undefined && samples.length % 15 === 0)
        say(`${last.documents} documents, ${Math.round(last.rssBytes / 2 ** 20)} MiB`);
    }, everyMs);
    let events: Record<string, string[]>;
    try {
      events = await run.result();
    } finally {
      clearInterval(timer);
      await sampling;
    }
    const ms = performance.now() - startedAtMs;
    await sample();
    const documents = Object.values(events).flat().length;
    const after = await processFacts(worker.pid);
    const history = await historyOf(world.client, run);
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
      history,
      eventsPerDocument: history.events / documents,
      bytesPerDocument: history.bytes / documents,
      samples,
    };
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
}

function averageRss(samples: Sample[], from: number, to: number): number {
  const within = samples.filter(({ documents }) => documents >= from && documents <= to);
  return within.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / within.length;
}

async function settled(world: World, runId: string): Promise<number> {
  const [row] = await world.database.query<{ settled: number }>(
    'SELECT count(*)::int AS settled FROM republish.documents WHERE run_id = $1 AND outcome IS NOT NULL',
    [runId],
  );
  return row?.settled ?? 0;
}

/** From the first document on: planning them all comes before, and is no part of a rate. */
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
