import { type RunningPostgres, startPostgres } from '../../embedded/postgres';
import type { ProcessGroup } from '../../embedded/process-group';
import { seedOperator } from '../../dev/seed';
import { addBunkerSigner } from '../../pairing/signers';
import {
  type ChildBunker,
  type ChildRelay,
  startBunkerChild,
  startRelayChild,
} from '../support/child-servers';
import { plantCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';
import { startWorkerChild } from '../support/worker-child';

const MACHINES = 100;
const DOCUMENT_TYPE = 'bitspire-fees';
/** Slow enough for requests to be in work whenever the power goes. */
const SLOW_BUNKER = { answerDelayMs: 40, concurrency: 2 };
const PATIENT = {
  REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
  REPUBLISH_BUNKER_TIMEOUT_MS: '3000',
};
const AWAY_MS = 1_000;

type Part = 'worker' | 'bunker' | 'relay' | 'Postgres';

/** Every part in a process of its own. */
interface Stage {
  saga: Saga;
  relay: ChildRelay;
  bunker: ChildBunker;
  operatorId: string;
  machines: Awaited<ReturnType<typeof seedOperator>>;
  /** kill -9, and a moment later it is there again, as it would be after a power cut. */
  cutPower(part: Part): Promise<void>;
  stop(): Promise<void>;
}

async function startStage(): Promise<Stage> {
  const postgres = await startPostgres();
  const saga = await startSaga({ postgresUrl: postgres.url });
  const relay = await startRelayChild();
  saga.onStop(() => relay.stop());
  const bunker = await startBunkerChild({ relays: [relay.url], ...SLOW_BUNKER });
  saga.onStop(() => bunker.stop());
  const operatorId = 'hundred';
  const { database } = saga;
  const machines = await seedOperator(database, {
    id: operatorId,
    pubkey: bunker.userPubkey,
    machines: MACHINES,
  });
  await plantCanaries(
    saga,
    machines.map(({ id }) => id),
  );
  const configuration = saga.configuration({ REPUBLISH_BUNKER_TIMEOUT_MS: '20000' });
  await addBunkerSigner(
    { database, configuration, operatorUserId: operatorId, say: () => undefined },
    bunker.uri(),
  );

  const startWorker = (): Promise<ProcessGroup> =>
    startWorkerChild(saga, { env: { ...PATIENT, REPUBLISH_RELAYS: relay.url } });
  let worker = await startWorker();
  const away = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, AWAY_MS));
  return {
    saga,
    relay,
    bunker,
    operatorId,
    machines,
    async cutPower(part) {
      if (part === 'worker') {
        worker.kill('SIGKILL');
        await worker.exited;
        worker = await startWorker();
      } else if (part === 'Postgres') {
        await killPostgres(postgres);
        await away();
        await postgres.resume();
      } else {
        const server = part === 'relay' ? relay : bunker;
        await server.kill9();
        await away();
        await server.restart();
      }
    },
    async stop() {
      await saga.stop();
      await postgres.stop();
    },
  };
}

/** All of its processes, which form a group. */
async function killPostgres(postgres: RunningPostgres): Promise<void> {
  process.kill(-postgres.pid, 'SIGKILL');
  await postgres.pause('crash');
}

/** Signatures that the bunker gives after those that a cut waits for: a slow test does not come too late. */
const MORE = 10;

type Cuts = [string, [Part, atSignatures: number][]];

const ALL_IN_TURN: Cuts = [
  'one after the other',
  [
    ['worker', 15],
    ['Postgres', 35],
    ['bunker', 55],
    ['relay', 75],
  ],
];

/** Played by `npm run test:faults`; `npm test` has no time for each. */
const EACH_ALONE: Cuts[] = [
  ['the worker', [['worker', 40]]],
  ['the bunker', [['bunker', 40]]],
  ['the relay, which forgets what it had', [['relay', 40]]],
  ['Postgres', [['Postgres', 40]]],
];

test.each<Cuts>(
  process.env.REPUBLISH_TEST_EACH_ALONE === 'yes' ? [...EACH_ALONE, ALL_IN_TURN] : [ALL_IN_TURN],
)(
  'kill -9 of %s in the middle of a page of a hundred: the same ids, one audit row',
  async (_what, cuts) => {
    const stage = await startStage();
    try {
      const { saga, relay, bunker, operatorId: id, machines } = stage;
      const before = new Map<string, string>();
      const allowFor = (cut: number): void => bunker.allow((cuts[cut]?.[1] ?? Infinity) + MORE);
      allowFor(0);
      const { ids, failure, audit, ledger, run } = await runUnderFault(
        saga,
        { id, machines, bunker },
        {
          input: { documentTypes: [DOCUMENT_TYPE] },
          check: { quorum: 1, stores: async () => [await relay.events()] },
          watchEveryMs: 100,
          during: async ({ runId }) => {
            for (const [index, [part, atSignatures]] of cuts.entries()) {
              const signed = async () =>
                (await saga.ledger(runId)).filter(({ signature }) => signature !== null);
              await until(async () => (await signed()).length >= atSignatures, 60_000);
              for (const { machineId, event } of await signed()) before.set(machineId, event?.id ?? '');
              await stage.cutPower(part);
              allowFor(index + 1);
            }
          },
        },
      );
      expect(failure).toBeUndefined();
      expect(audit.outcome).toBe('complete');
      expect(new Set(ids).size).toBe(MACHINES);
      // What was signed when the power went is what stands, and the hundred are one page.
      expect(before.size).toBeGreaterThanOrEqual(cuts.at(-1)?.[1] ?? 0);
      expect(before.size).toBeLessThan(MACHINES);
      for (const { machineId, event } of ledger)
        if (before.has(machineId)) expect(event?.id).toBe(before.get(machineId));
      expect(await saga.attempts(run.runId)).toHaveLength(1);
      expect((await relay.events()).map((event) => event.id).sort()).toEqual(ids.toSorted());
    } finally {
      await stage.stop();
    }
  },
  180_000,
);
