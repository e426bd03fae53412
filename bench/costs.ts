import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { measureOurs, runLoop, warmUpFor } from './compare';
import { median, repeat } from './repeat';
import type { World } from './world';

/** The fixed costs of a run, in milliseconds. Each is a median. */
export interface FixedCosts {
  latencyMs: number;
  small: SmallRun;
  /** With a worker without REPUBLISH_BUNKER_CONCURRENCY, which finds its window. */
  unset: { latencyMs: number; perSecond: number };
  /** From the start of the process `republish worker` to its first workflow task. */
  workerStartMs: number;
  helpMs: number;
}

/** One operator with one machine. */
export interface SmallRun {
  /** From the start of the run to its result, and the time in which the bunker worked on its requests. */
  runMs: number;
  runBusyMs: number;
  /** Only the same calls, by the loop with BunkerSigner: key, probe, then both documents at the same time. */
  loopMs: number;
  loopBusyMs: number;
  /**
   * The time of the run without the bunker's time, minus the same for the loop. The bunker's time is
   * subtracted because a run sends its first document alone, to spare the bunker, and so waits longer for it.
   */
  aboveCallsMs: number;
  /** The requests to the bunker in one run, by method. */
  bunkerRequests: Record<string, number>;
  relay: { documents: number; reads: number; filters: number };
}

const COMMAND_LINE = path.join(__dirname, '../dist/client/cli/main.js');

/**
 * @param unset the run of a worker without REPUBLISH_BUNKER_CONCURRENCY. `documents` must be even, because
 *   each machine has two
 */
export async function fixedCosts(
  world: World,
  {
    latencyMs,
    times,
    unset,
  }: { latencyMs: number; times: number; unset: { latencyMs: number; documents: number } },
): Promise<FixedCosts> {
  await world.setLatency(unset.latencyMs);
  const warmUp = await warmUpFor(world, unset.documents, await world.addBunker(0));
  const { perSecond } = await measureOurs(world, unset.documents, undefined, warmUp);
  await world.setLatency(latencyMs);
  return {
    latencyMs,
    unset: { latencyMs: unset.latencyMs, perSecond },
    small: await smallRun(world, latencyMs, times),
    workerStartMs: median(await repeat(times, () => workerStart(world))),
    helpMs: median(await repeat(times + 1, help)),
  };
}

async function smallRun(world: World, latencyMs: number, times: number): Promise<SmallRun> {
  const worker = await world.startWorker(8);
  const rounds: SmallRun[] = [];
  try {
    await (await world.start(await world.addOperator(1))).result();
    for (let time = 0; time < times; time += 1) {
      const operator = await world.addOperator(1);
      const run = await asked(world, async () => {
        const startedAtMs = performance.now();
        await (await world.start(operator)).result();
        return performance.now() - startedAtMs;
      });
      const operatorOfLoop = { operatorUserId: await world.addOperator(1), askFirst: true };
      const loop = await asked(world, async () => (await runLoop(world, 2, 2, operatorOfLoop)).ms);
      // The loop connects before its measurement begins.
      const loopBusyMs = loop.busyMs - (loop.bunkerRequests.connect ?? 0) * latencyMs;
      rounds.push({
        runMs: run.ms,
        runBusyMs: run.busyMs,
        loopMs: loop.ms,
        loopBusyMs,
        aboveCallsMs: run.ms - run.busyMs - (loop.ms - loopBusyMs),
        bunkerRequests: run.bunkerRequests,
        relay: run.relay,
      });
    }
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
  const middle = (of: (round: SmallRun) => number): number => median(rounds.map(of));
  const [first] = rounds;
  if (first === undefined) throw new Error('nothing was measured');
  return {
    ...first,
    runMs: middle(({ runMs }) => runMs),
    runBusyMs: middle(({ runBusyMs }) => runBusyMs),
    loopMs: middle(({ loopMs }) => loopMs),
    loopBusyMs: middle(({ loopBusyMs }) => loopBusyMs),
    aboveCallsMs: middle(({ aboveCallsMs }) => aboveCallsMs),
  };
}

interface Asked extends Pick<SmallRun, 'bunkerRequests' | 'relay'> {
  ms: number;
  busyMs: number;
}

/** The requests to the bunker and the relay during `work`. */
async function asked(world: World, work: () => Promise<number>): Promise<Asked> {
  const [bunkerBefore, relayBefore] = [await world.askedOfBunker(), await world.askedOfRelay()];
  const ms = await work();
  const [bunker, relay] = [await world.askedOfBunker(), await world.askedOfRelay()];
  const requests = Object.entries(bunker.requests)
    .map(([method, times]): [string, number] => [method, times - (bunkerBefore.requests[method] ?? 0)])
    .filter(([, times]) => times > 0);
  return {
    ms,
    busyMs: bunker.busyMs - bunkerBefore.busyMs,
    bunkerRequests: Object.fromEntries(requests),
    relay: {
      documents: relay.documents - relayBefore.documents,
      reads: relay.reads - relayBefore.reads,
      filters: relay.filters - relayBefore.filters,
    },
  };
}

async function workerStart(world: World): Promise<number> {
  const run = await world.start(await world.addOperator(1));
  const startedAtMs = Date.now();
  const worker = await world.startWorker(8);
  try {
    await run.result();
    const { events } = await world.client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
    const first = events?.find(({ workflowTaskStartedEventAttributes: started }) => started != null);
    return Number(first?.eventTime?.seconds) * 1000 + Number(first?.eventTime?.nanos) / 1e6 - startedAtMs;
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
}

async function help(): Promise<number> {
  const startedAtMs = performance.now();
  await promisify(execFile)(process.execPath, [COMMAND_LINE, '--help']);
  return performance.now() - startedAtMs;
}
