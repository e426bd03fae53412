import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { runLoop } from './compare';
import { median, repeat } from './repeat';
import type { World } from './world';

/** What is paid once, whatever the number of documents. Milliseconds, each the median of several. */
export interface FixedCosts {
  /** One operator with one machine: from the start of the run to its result. */
  smallRunMs: number;
  /** The calls of such a run, and nothing else: the bunker's key, then both documents at once, by the loop over BunkerSigner. */
  smallLoopMs: number;
  latencyMs: number;
  /** From starting the process `republish worker` to its first workflow task. */
  workerStartMs: number;
  helpMs: number;
}

const COMMAND_LINE = path.join(__dirname, '../dist/client/cli/main.js');

export async function fixedCosts(world: World, latencyMs: number, times: number): Promise<FixedCosts> {
  await world.setLatency(latencyMs);
  const worker = await world.startWorker(8);
  const runs: number[] = [];
  const loops: number[] = [];
  try {
    await (await world.start(await world.addOperator(1))).result();
    for (let time = 0; time < times; time += 1) {
      const operator = await world.addOperator(1);
      const startedAtMs = performance.now();
      await (await world.start(operator)).result();
      runs.push(performance.now() - startedAtMs);
      loops.push((await runLoop(world, 2, 2, { askFirst: true })).ms);
    }
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
  return {
    smallRunMs: median(runs),
    smallLoopMs: median(loops),
    latencyMs,
    workerStartMs: median(await repeat(times, () => workerStart(world))),
    helpMs: median(await repeat(times + 1, help)),
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
