import type { Failpoint } from '../../activities/failpoints';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { startWorkerChild } from '../support/worker-child';

type Place = Failpoint | `${Failpoint}:${number}`;

/** What is true when the worker dies there: rows of the plan, of them sealed, and requests to sign. */
type AtDeath = Partial<Record<'planned' | 'sealed' | 'asked', number>>;

const PLACES: [what: string, place: Place, atDeath: AtDeath][] = [
  ['1: after the plan, before Temporal knows', 'after-load', { planned: 4, sealed: 0, asked: 0 }],
  [
    '1: after the proof of the signer, before Temporal knows',
    'after-proof',
    { planned: 4, sealed: 0, asked: 0 },
  ],
  ['2: after an encryption, before the ledger has the event', 'after-encrypt', { planned: 4, asked: 0 }],
  ['3: after a seal, before the bunker is asked', 'after-seal:2', { planned: 4 }],
  ['4: after a signature, before the ledger has it', 'after-sign:2', { planned: 4 }],
];

/** `npm test` kills the workers of one run in all these places, one after the other. */
const RUNS: [name: string, places: typeof PLACES][] = [
  ...(process.env.REPUBLISH_TEST_EACH_ALONE === 'yes'
    ? PLACES.map((each): (typeof RUNS)[number] => [each[0], [each]])
    : []),
  ['1, 2, 3, 4: in each of these places, one after the other', PLACES],
];

describe('kill -9 of the worker before anything is published', () => {
  let saga: Saga;

  beforeAll(async () => (saga = await startSaga()));
  afterAll(() => saga.stop());

  const facts = async (runId: string, { bunker }: SagaOperator) => {
    const rows = await saga.ledger(runId);
    const sealed = rows.flatMap(({ event }) => event?.id ?? []);
    const asked = bunker.requests.filter(({ method }) => method === 'sign_event').length;
    return { rows, ids: sealed, counts: { planned: rows.length, sealed: sealed.length, asked } };
  };

  test.each(RUNS)(
    '%s: the same ids, each once',
    async (_what, places) => {
      const operator = await addOperatorWithCanaries(saga, { machines: 2 });
      let worker = await startWorkerChild(saga, { failpoint: places[0]?.[1] ?? 'after-load' });
      const held = new Set<string>();
      let next: { stop(): Promise<void> } | undefined;

      const { ids, failure, audit } = await runUnderFault(saga, operator, {
        during: async ({ runId }) => {
          for (const [index, [, , atDeath]] of places.entries()) {
            await worker.exited;
            expect(worker.epitaph()).toMatch(/^signal SIGKILL/);
            const { rows, ids: sealed, counts } = await facts(runId, operator);
            expect(counts).toMatchObject(atDeath);
            expect(rows.map(({ outcome }) => outcome)).toContain(null);
            for (const id of sealed) held.add(id);
            const failpoint = places[index + 1]?.[1];
            if (failpoint !== undefined) worker = await startWorkerChild(saga, { failpoint });
          }
          next = await saga.startWorker();
        },
      });
      await next?.stop();

      expect(failure).toBeUndefined();
      expect(audit.outcome).toBe('complete');
      expect(new Set(ids).size).toBe(4);
      expect([...held].filter((id) => !ids.includes(id))).toEqual([]);
    },
    240_000,
  );
});
