import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, startSaga } from '../support/saga';
import { startWorkerChild } from '../support/worker-child';

/** Each worker dies of its own SIGKILL at the failpoint; another takes over when it is gone. */
describe('kill -9 of the worker before anything is published', () => {
  let saga: Saga;

  beforeAll(async () => (saga = await startSaga()));
  afterAll(() => saga.stop());

  test.each([
    ['1: after the plan, before Temporal knows', 'after-load', { planned: 4, sealed: 0, asked: 0 }],
    [
      '1: after the proof of the signer, before Temporal knows',
      'after-proof',
      { planned: 4, sealed: 0, asked: 0 },
    ],
    ['2: after an encryption, before the ledger has the event', 'after-encrypt', { planned: 4, asked: 0 }],
    ['3: after a seal, before the bunker is asked', 'after-seal:2', { planned: 4 }],
    ['4: after a signature, before the ledger has it', 'after-sign:2', { planned: 4 }],
  ] as const)(
    '%s: the same ids, each once',
    async (_row, failpoint, atDeath) => {
      const operator = await addOperatorWithCanaries(saga, { machines: 2 });
      const dying = await startWorkerChild(saga, { failpoint });
      const askedToSign = () =>
        operator.bunker.requests.filter(({ method }) => method === 'sign_event').length;
      let next: { stop(): Promise<void> } | undefined;

      const { ids, failure, audit } = await runUnderFault(saga, operator, {
        during: async (run) => {
          await dying.exited;
          expect(dying.epitaph()).toMatch(/^signal SIGKILL/);
          const rows = await saga.ledger(run.runId);
          expect({
            planned: rows.length,
            sealed: rows.filter(({ event }) => event !== null).length,
            asked: askedToSign(),
          }).toMatchObject(atDeath);
          expect(rows.map(({ outcome }) => outcome)).toContain(null);
          next = await saga.startWorker();
        },
      });
      await next?.stop();

      expect(failure).toBeUndefined();
      expect(audit.outcome).toBe('complete');
      expect(new Set(ids).size).toBe(4);
    },
    90_000,
  );
});
