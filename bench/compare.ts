import { startChild } from './child';
import { finish, requirePublished } from './finish';
import { type HistoryFacts, historyOf } from './history';
import type { Batch, LoopArguments, LoopFacts } from './loop';
import { cpuBetween, cpuMsOfParts, processFacts } from './process-facts';
import type { BunkerKeys, World } from './world';

/** The result of one measurement. */
export interface Measured {
  documents: number;
  ms: number;
  perSecond: number;
  /** CPU of the loop or the worker, without bunker, relay, Postgres and Temporal. */
  cpuMsPerDocument: number;
}

/** The results for one latency of the bunker and one number of requests in flight. */
export interface Shape {
  latencyMs: number;
  inFlight: number;
}

export interface Comparison extends Shape {
  /** A loop with BunkerSigner, one document after the other. */
  sequential: Measured;
  /** The same loop with as many documents at the same time as requests may be in flight. */
  loop: Measured;
  /** A run of this program from its start to its result, with plan, proof, sweep and audit row. */
  ours: Measured & {
    /** CPU for each document, by process. Only on Linux. */
    cpuMsByPart?: Record<string, number>;
    history: HistoryFacts;
  };
  /** Documents x 2 x latency / in flight: the limit for every program. Absent: the latency is 0. */
  idealPerSecond?: number;
}

export interface CompareOptions {
  shapes: Shape[];
  /** The approximate duration of one measurement. */
  seconds: number;
}

/**
 * The approximate speed of the loop on two cores. With the ideal it gives the number of documents to measure.
 */
const ASSUMED_PER_SECOND = 100;

/**
 * Documents before each measurement, for the loop and for the worker, with latency 0. JavaScript is slow
 * until it is compiled, and the bench measures a worker that has run for a while.
 */
const WARM_UP_DOCUMENTS = 2_000;

const LOOP_WITHIN_MS = 30 * 60_000;

export async function compare(
  world: World,
  { shapes, seconds }: CompareOptions,
  say: (line: string) => void,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  const quick = await world.addBunker(0);
  for (const latencyMs of new Set(shapes.map((shape) => shape.latencyMs))) {
    await world.setLatency(latencyMs);
    const sequential = await measureLoop(world, documentsFor(latencyMs, 1, seconds / 2), 1);
    say(`${latencyMs} ms, one after the other: ${sequential.perSecond.toFixed(1)} documents/s`);
    for (const { inFlight } of shapes.filter((shape) => shape.latencyMs === latencyMs)) {
      // Directly after each other: the load of the machine should be the same for both.
      const documents = documentsFor(latencyMs, inFlight, seconds);
      const loop = await measureLoop(world, documents, inFlight, await warmUpFor(world, documents, quick));
      const ours = await measureOurs(world, documents, inFlight, await warmUpFor(world, documents, quick));
      const ideal = idealPerSecond(latencyMs, inFlight);
      say(
        `${latencyMs} ms, ${inFlight} in flight: loop ${loop.perSecond.toFixed(1)}, ` +
          `ours ${ours.perSecond.toFixed(1)}, ideal ${ideal?.toFixed(1) ?? '-'} documents/s`,
      );
      comparisons.push({
        latencyMs,
        inFlight,
        sequential,
        loop,
        ours,
        ...(ideal === undefined ? {} : { idealPerSecond: ideal }),
      });
    }
  }
  return comparisons;
}

function idealPerSecond(latencyMs: number, inFlight: number): number | undefined {
  return latencyMs === 0 ? undefined : (inFlight * 1000) / (2 * latencyMs);
}

/** An even number: each machine has two documents. */
function documentsFor(latencyMs: number, inFlight: number, seconds: number): number {
  const perSecond = Math.min(idealPerSecond(latencyMs, inFlight) ?? Infinity, ASSUMED_PER_SECOND);
  return Math.max(4, 2 * Math.ceil((perSecond * seconds) / 2));
}

/** For another operator, and not more documents than the measurement has. */
export async function warmUpFor(world: World, measured: number, bunker: BunkerKeys): Promise<Batch> {
  const documents = Math.min(WARM_UP_DOCUMENTS, measured);
  return { operatorUserId: await world.addOperator(documents / 2, bunker), documents, ...bunker };
}

/** @param warmUp 0 for one document after the other, because its CPU is not reported */
async function measureLoop(
  world: World,
  documents: number,
  inFlight: number,
  warmUp?: Batch,
): Promise<Measured> {
  const { ms, cpuMs } = await runLoop(world, inFlight, documents, { warmUp });
  return measured(documents, ms, cpuMs);
}

/** Runs the loop to its end. Default operator: a new one. */
export async function runLoop(
  world: World,
  inFlight: number,
  documents: number,
  { operatorUserId, ...more }: Partial<Pick<LoopArguments, 'operatorUserId' | 'askFirst' | 'warmUp'>> = {},
): Promise<LoopFacts> {
  const argument: LoopArguments = {
    databaseUrl: world.databaseUrl,
    operatorUserId: operatorUserId ?? (await world.addOperator(Math.ceil(documents / 2))),
    relay: world.relayUrl,
    ...world.bunker,
    inFlight,
    documents,
    ...more,
  };
  const loop = await startChild<LoopFacts>('loop', argument, LOOP_WITHIN_MS);
  await loop.exited;
  return loop.facts;
}

/** @param inFlight undefined: REPUBLISH_BUNKER_CONCURRENCY is not set, and the worker finds its window */
export async function measureOurs(
  world: World,
  documents: number,
  inFlight: number | undefined,
  warmUp: Batch,
): Promise<Comparison['ours']> {
  const operator = await world.addOperator(documents / 2);
  const worker = await world.startWorker(inFlight);
  try {
    await finish(await world.start(warmUp.operatorUserId));
    const partsBefore = await cpuMsOfParts(world.parts());
    const before = await processFacts(worker.pid);
    const startedAtMs = performance.now();
    const run = await world.start(operator);
    await finish(run);
    const ms = performance.now() - startedAtMs;
    const after = await processFacts(worker.pid);
    const cpuMsByPart = cpuBetween(partsBefore, await cpuMsOfParts(world.parts()), documents);
    await requirePublished(world, run, documents);
    return {
      ...measured(documents, ms, after.cpuMs - before.cpuMs),
      ...(cpuMsByPart === undefined ? {} : { cpuMsByPart }),
      history: await historyOf(world.client, run),
    };
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
}

function measured(documents: number, ms: number, cpuMs: number): Measured {
  return { documents, ms, perSecond: (documents * 1000) / ms, cpuMsPerDocument: cpuMs / documents };
}
