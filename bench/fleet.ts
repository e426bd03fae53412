import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../client/fleet';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { cpuBetween, cpuMsOfParts } from './process-facts';
import { median, repeat } from './repeat';
import type { World } from './world';

/** A fleet with many operators, and a small operator at the same time as a huge one. */
export interface FleetFacts {
  operators: number;
  operatorsAtOnce: number;
  /** From the summary of the fleet. */
  complete: number;
  /** Operators that are not complete, with the failure type. */
  named: { operatorUserId: string; failure: string }[];
  ms: number;
  documents: number;
  perSecond: number;
  /** CPU for each document, by process. Only on Linux. */
  cpuMsByPart?: Record<string, number>;
  beside: {
    smallMachines: number;
    hugeMachines: number;
    /**
     * Duration of a small operator's run: alone, and during the huge run. Medians. Each operator has a
     * bunker.
     */
    aloneMs: number;
    besideMs: number;
    /** Documents of the huge run that were signed meanwhile. They show that it was not just blocked. */
    hugeMeanwhile: number;
    hugeLeft: number;
  };
}

export interface FleetBenchOptions {
  operators: number;
  machinesEach: number;
  operatorsAtOnce: number;
  hugeMachines: number;
  smallMachines: number;
  inFlight: number;
  latencyMs: number;
}

/** How many runs of the small operator the median has. */
const TIMES = 3;
const BEGINS_WITHIN_MS = 120_000;
/** Three operators that cannot succeed, and one more. */
const MIN_OPERATORS = 4;

export async function fleet(
  world: World,
  options: FleetBenchOptions,
  say: (line: string) => void,
): Promise<FleetFacts> {
  const { operators: count, machinesEach, operatorsAtOnce, inFlight, latencyMs } = options;
  if (count < MIN_OPERATORS) throw new Error(`--operators must be at least ${MIN_OPERATORS}`);
  await world.setLatency(latencyMs);
  const worker = await world.startWorker(inFlight);
  try {
    await (await world.start(await world.addOperator(1))).result();
    say(`a small operator next to one with ${options.hugeMachines} machines`);
    const beside = await smallBesideHuge(world, options);

    const operators: string[] = [];
    while (operators.length < count - 1) {
      operators.push(await world.addOperator(machinesEach));
      if (operators.length % 50 === 0) say(`${operators.length} operators are set up`);
    }
    // Three operators that cannot succeed: an unknown one, one without a signer, one with an invalid row.
    operators.push('nobody');
    const [unsigned = '', wrong = ''] = operators;
    await world.database.query('DELETE FROM republish.signers WHERE operator_user_id = $1', [unsigned]);
    await world.database.query(
      `UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id =
         (SELECT id FROM spirekeeper.dca_machines WHERE operator_user_id = $1 ORDER BY id LIMIT 1)`,
      [wrong],
    );

    say(`a fleet of ${count} operators, ${operatorsAtOnce} at once`);
    const partsBefore = await cpuMsOfParts(world.parts());
    const startedAtMs = performance.now();
    const run = await startFleet(world.client, { taskQueue: DEFAULT_TASK_QUEUE, operators, operatorsAtOnce });
    const summary = await run.result();
    const ms = performance.now() - startedAtMs;
    const partsAfter = await cpuMsOfParts(world.parts());
    const [row] = await world.database.query<{ documents: number }>(
      `SELECT count(*)::int AS documents FROM republish.documents d JOIN republish.runs r USING (run_id)
        WHERE r.operator_user_id = ANY ($1::text[]) AND d.outcome = 'published'`,
      [operators],
    );
    const documents = row?.documents ?? 0;
    const cpuMsByPart = cpuBetween(partsBefore, partsAfter, documents);
    return {
      operators: count,
      operatorsAtOnce,
      complete: summary.operators.complete,
      named: summary.failures.map(({ operatorUserId, failure }) => ({
        operatorUserId,
        failure: failure?.type ?? 'unknown',
      })),
      ms,
      documents,
      perSecond: (documents * 1000) / ms,
      ...(cpuMsByPart === undefined ? {} : { cpuMsByPart }),
      beside,
    };
  } finally {
    await worker.stop('SIGTERM', 20_000);
  }
}

async function smallBesideHuge(
  world: World,
  { hugeMachines, smallMachines, latencyMs }: FleetBenchOptions,
): Promise<FleetFacts['beside']> {
  const own = await world.addBunker(latencyMs);
  const small: string[] = [];
  while (small.length < 2 * TIMES) small.push(await world.addOperator(smallMachines, own));
  const timed = async (): Promise<number> => {
    const startedAtMs = performance.now();
    await (await world.start(small.pop() ?? '')).result();
    return performance.now() - startedAtMs;
  };
  const aloneMs = median(await repeat(TIMES, timed));

  const huge = await world.start(await world.addOperator(hugeMachines));
  // Signatures, not outcomes: the documents of a page get their outcomes in one statement.
  const signed = async (): Promise<number> => {
    const [row] = await world.database.query<{ signed: number }>(
      'SELECT count(*)::int AS signed FROM republish.documents WHERE run_id = $1 AND signature IS NOT NULL',
      [huge.runId],
    );
    return row?.signed ?? 0;
  };
  const deadlineMs = performance.now() + BEGINS_WITHIN_MS;
  while ((await signed()) < hugeMachines / 10) {
    if (performance.now() > deadlineMs) throw new Error('the huge operator does not get on');
    await sleep(200);
  }
  const before = await signed();
  const besideMs = median(await repeat(TIMES, timed));
  const after = await signed();
  const hugeLeft = 2 * hugeMachines - after;
  if (hugeLeft === 0) throw new Error('the huge operator was done first: give it more machines');
  await huge.cancel({ reason: 'the bench has seen enough' }).catch(() => undefined);
  await huge.result().catch(() => undefined);
  return { smallMachines, hugeMachines, aloneMs, besideMs, hugeMeanwhile: after - before, hugeLeft };
}
