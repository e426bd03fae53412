import type { BunkerFault } from '../../dev/bunker-faults';
import type { ProcessGroup } from '../../embedded/process-group';
import { startWorkerProcess } from '../../embedded/worker-process';
import { type Saga, startSaga } from '../support/saga';

/**
 * Kills a worker process with SIGKILL at a moment of the run, starts another, and holds the end against the
 * ledger.
 */
describe('kill -9 of the worker', () => {
  let saga: Saga;
  let worker: ProcessGroup;
  let replacing: Promise<void> | undefined;

  beforeAll(async () => {
    saga = await startSaga();
    worker = await startWorkerProcess(saga.env);
    saga.onStop(() => worker.stop('SIGTERM', 35_000));
  }, 60_000);
  afterAll(() => saga.stop());

  function killAndReplace(): void {
    replacing = (async () => {
      worker.kill('SIGKILL');
      await worker.exited;
      worker = await startWorkerProcess(saga.env);
    })();
  }

  /** Runs with a kill, collecting every event id that the ledger ever held. */
  async function runWithKill(id: string): Promise<{ ids: string[]; everSealed: string[]; runId: string }> {
    const everSealed = new Map<string, Set<string>>();
    const run = await saga.start(id);
    let ended = false;
    const watching = (async () => {
      while (!ended) {
        for (const { documentType, machineId, event } of await saga.ledger(run.runId)) {
          const key = `${documentType}/${machineId}`;
          if (event) everSealed.set(key, (everSealed.get(key) ?? new Set()).add(event.id));
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const events = await run.result().finally(() => (ended = true));
    await watching;
    await replacing;
    return {
      ids: Object.values(events).flat().sort(),
      everSealed: [...everSealed.values()].flatMap((ids) => [...ids]).sort(),
      runId: run.runId,
    };
  }

  /** Kills once, at the request for which `when` holds. */
  const killWhen = (when: (method: string, nth: number) => boolean): BunkerFault => {
    const counts: Record<string, number> = {};
    let killed = false;
    return ({ method }) => {
      const nth = (counts[method] = (counts[method] ?? 0) + 1);
      if (killed || !when(method, nth)) return undefined;
      killed = true;
      killAndReplace();
      return undefined;
    };
  };

  test.each([
    ['while the bunker is asked its key', (method: string) => method === 'get_public_key'],
    // Between these two: rows 2 to 4 of test/faults.
    [
      'in the middle, at the fourth signature',
      (method: string, nth: number) => method === 'sign_event' && nth === 4,
    ],
  ])(
    '%s: the same ids, each once, and one audit row',
    async (_when, when) => {
      const { id, bunker } = await saga.addOperator({ machines: 3 });
      bunker.setFaults(killWhen(when));

      const { ids, everSealed } = await runWithKill(id);

      expect(replacing).toBeDefined();
      expect(ids).toHaveLength(6);
      expect(everSealed).toEqual(ids);
      const stored = saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey) ?? [];
      expect(stored.map((event) => event.id).sort()).toEqual(ids);
      const audits = await saga.audits(id);
      expect(audits).toHaveLength(1);
      expect(
        Object.values(audits[0]?.events ?? {})
          .flat()
          .sort(),
      ).toEqual(ids);
    },
    90_000,
  );

  test('SIGTERM in the middle: the worker drains and exits 0, another one goes on', async () => {
    const { id, bunker } = await saga.addOperator({
      machines: 3,
      bunker: { answerDelayMs: 150, concurrency: 1 },
    });
    let told = false;
    let exit: Promise<void> | undefined;
    bunker.setFaults(({ method }) => {
      if (method === 'sign_event' && !told) {
        told = true;
        const first = worker;
        first.kill('SIGTERM');
        exit = (async () => {
          worker = await startWorkerProcess(saga.env);
          await first.exited;
          expect(first.epitaph()).toMatch(/^exit code 0/);
        })();
      }
      return undefined;
    });
    const { ids, everSealed } = await runWithKill(id);
    await exit;
    expect(told).toBe(true);
    expect(everSealed).toEqual(ids);
    expect(ids).toHaveLength(6);
  }, 90_000);
});
