import { startFaultProxy } from './fault-proxy';
import { play, type Stage } from './play';
import { startSaga } from './saga';
import { described, type Rows, scenarioOf } from './scenario';

/** Which scenarios: the first of many, or as `npm run test:soak` says. */
const FIRST_SEED = Number(process.env.SOAK_SEED ?? 1);
const UNTIL_MS = process.env.SOAK_MINUTES ? Date.now() + Number(process.env.SOAK_MINUTES) * 60_000 : Infinity;
/** Stages beside each other: a scenario mostly waits. */
const STAGES: Record<Rows, number> = { '35': 3, '38-57': 5 };
const isSoak = process.env.SOAK_SEED !== undefined;

async function startStage(): Promise<Stage> {
  const saga = await startSaga({ relays: 3 });
  const [bunkerProxy, ...proxies] = await Promise.all(
    [saga.relays[0], ...saga.relays].map((relay) => startFaultProxy(relay?.url ?? '')),
  );
  if (bunkerProxy === undefined) throw new Error('there is no relay');
  for (const proxy of [bunkerProxy, ...proxies]) saga.onStop(() => proxy.stop());
  const start = () =>
    saga.startWorker({
      env: {
        REPUBLISH_RELAYS: proxies.map(({ url }) => url).join(','),
        REPUBLISH_RELAY_TIMEOUT_MS: '800',
        REPUBLISH_BUNKER_TIMEOUT_MS: '1200',
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '4000',
        // Several pages of few machines.
        REPUBLISH_DOCUMENTS_PER_PAGE: '2',
      },
    });
  let worker = await start();
  return {
    saga,
    proxies,
    bunkerProxy,
    async replaceWorker() {
      const old = worker;
      worker = await start();
      await old.stop();
    },
  };
}

/**
 * Plays scenarios of these rows one after the other, on several stages, until all are played or one shows a
 * violation.
 */
async function soak(rows: Rows, seeds: number): Promise<{ played: number; violations: string[] }> {
  const stages = await Promise.all(
    Array.from({ length: Math.min(STAGES[rows], Math.ceil(seeds / 2)) }, startStage),
  );
  let next = FIRST_SEED;
  let played = 0;
  const violations: string[] = [];
  const isOver = (): boolean =>
    violations.length > 0 || Date.now() > UNTIL_MS || (UNTIL_MS === Infinity && next >= FIRST_SEED + seeds);
  const playNext = async (stage: Stage): Promise<void> => {
    const seed = next++;
    const scenario = scenarioOf(rows, seed);
    const startedAtMs = Date.now();
    try {
      const { runs } = await play(stage, scenario);
      played += 1;
      if (!isSoak) return;
      process.stdout.write(
        `seed ${seed}: ${described(scenario)}: ${runs} runs, ${Date.now() - startedAtMs} ms\n`,
      );
    } catch (error) {
      const again = `npm run test:soak -- --rows ${rows} --seed ${seed} --seeds 1`;
      violations.push(`seed ${seed} (${described(scenario)}): ${String(error)}\nagain: ${again}`);
    }
  };
  try {
    await Promise.all(
      stages.map(async (stage) => {
        while (!isOver()) await playNext(stage);
      }),
    );
  } finally {
    for (const { saga } of stages) await saga.stop();
  }
  return { played, violations };
}

/** A test that plays the first so many seeds, or those that `npm run test:soak` names. */
export function soakTest(
  name: string,
  { rows, seeds }: { rows: Rows; seeds: number },
  boundMs: number,
): void {
  const count = Number(process.env.SOAK_SEEDS ?? seeds);
  test(
    name,
    async () => {
      const { played, violations } = await soak(rows, count);
      expect(violations).toEqual([]);
      expect(played).toBeGreaterThan(0);
    },
    isSoak ? 24 * 3_600_000 : Math.max(boundMs, count * 15_000),
  );
}
