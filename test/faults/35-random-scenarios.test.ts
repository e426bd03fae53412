import { described, play, scenarioOf, type Stage } from '../support/scenario';
import { startFaultProxy } from '../support/fault-proxy';
import { startSaga } from '../support/saga';

/** Which scenarios: the first of many, or as `npm run test:soak` says. */
const FIRST_SEED = Number(process.env.SOAK_SEED ?? 1);
const SEEDS = Number(process.env.SOAK_SEEDS ?? 6);
const UNTIL_MS = process.env.SOAK_MINUTES ? Date.now() + Number(process.env.SOAK_MINUTES) * 60_000 : Infinity;
/** Stages beside each other: a scenario mostly waits. */
const STAGES = 3;
const isSoak = process.env.SOAK_SEED !== undefined;

async function startStage(): Promise<Stage> {
  const saga = await startSaga({ relays: 3 });
  const proxies = await Promise.all(saga.relays.map(({ url }) => startFaultProxy(url)));
  for (const proxy of proxies) saga.onStop(() => proxy.stop());
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
    async replaceWorker() {
      const old = worker;
      worker = await start();
      await old.stop();
    },
  };
}

test(
  '35: faults in any mixture, healed at the end: every document stands, and the invariants hold',
  async () => {
    const stages = await Promise.all(Array.from({ length: STAGES }, startStage));
    let next = FIRST_SEED;
    let played = 0;
    const violations: string[] = [];
    const isOver = (): boolean =>
      violations.length > 0 || Date.now() > UNTIL_MS || (UNTIL_MS === Infinity && next >= FIRST_SEED + SEEDS);
    try {
      await Promise.all(
        stages.map(async (stage) => {
          while (!isOver()) {
            const seed = next++;
            const scenario = scenarioOf(seed);
            const startedAtMs = Date.now();
            try {
              const { runs } = await play(stage, scenario);
              played += 1;
              if (isSoak) {
                const ms = Date.now() - startedAtMs;
                process.stdout.write(`seed ${seed}: ${described(scenario)}: ${runs} runs, ${ms} ms\n`);
              }
            } catch (error) {
              violations.push(
                `seed ${seed} (${described(scenario)}): ${String(error)}\nagain: npm run test:soak -- --seed ${seed} --seeds 1`,
              );
            }
          }
        }),
      );
    } finally {
      for (const { saga } of stages) await saga.stop();
    }
    expect(violations).toEqual([]);
    expect(played).toBeGreaterThan(0);
  },
  isSoak ? 24 * 3_600_000 : Math.max(400_000, SEEDS * 15_000),
);
