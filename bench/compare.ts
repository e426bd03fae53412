import { startChild } from './child';
import { historyOf } from './history';
import type { Batch, LoopArguments, LoopFacts } from './loop';
import { processFacts } from './process-facts';
import type { BunkerKeys, World } from './world';

/** What one way of doing it came to. */
export interface Measured {
  documents: number;
  ms: number;
  perSecond: number;
  /** CPU of the process that does the work, without bunker, relay, Postgres and Temporal. */
  cpuMsPerDocument: number;
}

/** One latency and one number of requests in flight. */
export interface Comparison {
  latencyMs: number;
  inFlight: number;
  /** One document after the other over BunkerSigner. */
  sequential: Measured;
  /** The same loop with as many documents at once as there may be requests in flight. */
  loop: Measured;
  /** A run of this program, from its start to its result: the plan, the proofs and the audit in it. */
  ours: Measured & { eventsPerDocument: number; bytesPerDocument: number };
  /** Documents x 2 x latency / in flight: nobody can do it faster. Absent without latency. */
  idealPerSecond?: number;
}

export interface CompareOptions {
  latenciesMs: number[];
  inFlight: number[];
  /** How long one measurement is to take, about. */
  seconds: number;
}

/** About what two cores do, whatever the bunker could: this and the ideal set how many documents a measurement takes. */
const ASSUMED_PER_SECOND = 50;

/**
 * Done before each measurement, by the loop as by the worker, at a bunker that answers at once: JavaScript is slow until it is
 * compiled, and what a document costs is asked of a worker that runs for weeks.
 */
const WARM_UP_DOCUMENTS = 2_000;

const LOOP_WITHIN_MS = 30 * 60_000;

export async function compare(
  world: World,
  { latenciesMs, inFlight, seconds }: CompareOptions,
  say: (line: string) => void,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  const quick = await world.addBunker(0);
  for (const latencyMs of latenciesMs) {
    await world.setLatency(latencyMs);
    const sequential = await measureLoop(world, documentsFor(latencyMs, 1, seconds / 2), 1);
    say(`${latencyMs} ms, one after the other: ${sequential.perSecond.toFixed(1)} documents/s`);
    for (const width of inFlight) {
      // Side by side: the two that are compared run within the same minute.
      const documents = documentsFor(latencyMs, width, seconds);
      const loop = await measureLoop(world, documents, width, await warmUpFor(world, documents, quick));
      const ours = await measureOurs(world, documents, width, await warmUpFor(world, documents, quick));
      const ideal = latencyMs === 0 ? undefined : (width * 1000) / (2 * latencyMs);
      say(
        `${latencyMs} ms, ${width} in flight: loop ${loop.perSecond.toFixed(1)}, ours ${ours.perSecond.toFixed(1)}, ideal ${ideal?.toFixed(1) ?? '-'} documents/s`,
      );
      comparisons.push({
        latencyMs,
        inFlight: width,
        sequential,
        loop,
        ours,
        ...(ideal === undefined ? {} : { idealPerSecond: ideal }),
      });
    }
  }
  return comparisons;
}

/** Even: each machine has two. */
function documentsFor(latencyMs: number, width: number, seconds: number): number {
  const perSecond = latencyMs === 0 ? ASSUMED_PER_SECOND : (width * 1000) / (2 * latencyMs);
  return Math.max(4, 2 * Math.ceil((Math.min(perSecond, ASSUMED_PER_SECOND) * seconds) / 2));
}

/** Of an operator of its own, and not more than what is measured. */
async function warmUpFor(world: World, measured: number, bunker: BunkerKeys): Promise<Batch> {
  const documents = Math.min(WARM_UP_DOCUMENTS, measured);
  return { operatorUserId: await world.addOperator(documents / 2, bunker), documents, ...bunker };
}

/** @param warmUp none for one after the other: what that costs is not told */
async function measureLoop(
  world: World,
  documents: number,
  width: number,
  warmUp?: Batch,
): Promise<Measured> {
  const { ms, cpuMs } = await runLoop(world, width, documents, { warmUp });
  return measured(documents, ms, cpuMs);
}

/** Runs the loop on an operator of its own, to its end. */
export async function runLoop(
  world: World,
  width: number,
  documents: number,
  more: { askFirst?: boolean; warmUp?: Batch | undefined } = {},
): Promise<LoopFacts> {
  const argument: LoopArguments = {
    databaseUrl: world.databaseUrl,
    operatorUserId: await world.addOperator(Math.ceil(documents / 2)),
    relay: world.relayUrl,
    ...world.bunker,
    inFlight: width,
    documents,
    ...more,
  };
  const loop = await startChild<LoopFacts>('loop', argument, LOOP_WITHIN_MS);
  await loop.exited;
  return loop.facts;
}

async function measureOurs(
  world: World,
  documents: number,
  width: number,
  warmUp: Batch,
): Promise<Comparison['ours']> {
  const operator = await world.addOperator(documents / 2);
  const worker = await world.startWorker(width);
  try {
    await (await world.start(warmUp.operatorUserId)).result();
    const before = await processFacts(worker.pid);
    const startedAtMs = performance.now();
    const run = await world.start(operator);
    const events = await run.result();
    const ms = performance.now() - startedAtMs;
    const after = await processFacts(worker.pid);
    const done = Object.values(events).flat().length;
    if (done !== documents) throw new Error(`${done} of ${documents} documents were republished`);
    const history = await historyOf(world.client, run);
    return {
      ...measured(documents, ms, after.cpuMs - before.cpuMs),
      eventsPerDocument: history.events / documents,
      bytesPerDocument: history.bytes / documents,
    };
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
}

function measured(documents: number, ms: number, cpuMs: number): Measured {
  return { documents, ms, perSecond: (documents * 1000) / ms, cpuMsPerDocument: cpuMs / documents };
}
