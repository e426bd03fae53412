import { startRepublish } from '../../client/start';
import { startGatedRelay } from '../support/gated-relay';
import { addOperatorWithCanaries, isEncryptionFor, runUnderFault } from '../support/fault-run';
import { PATIENT } from '../support/patience';
import { REAL } from '../support/real-timings';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

/** A person comes after a minute, twice the time that a request may take. */
const APPROVED_AFTER_MS = REAL ? 60_000 : 1_600;
/** What is shown while a person may be asked. */
const PERHAPS_A_PERSON = 'perhaps a person has to approve it';
const SHOWN_WITHIN_MS = REAL ? 5 * 60_000 : 60_000;

/** People who approve when they have the time. */
describe('bunkers with people behind them', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker({ env: REAL ? {} : { ...PATIENT, REPUBLISH_BUNKER_TIMEOUT_MS: '1000' } });
  });
  afterAll(() => saga.stop());

  /** Of all that was asked of the bunker in the run, how many questions there were. */
  const questions = ({ bunker }: SagaOperator, before: number): number => {
    const asked = bunker.requests
      .slice(before)
      .filter(({ method }) => method === 'nip44_encrypt' || method === 'sign_event');
    return new Set(asked.map(({ id }) => id)).size;
  };

  test(
    '41: a person approves each request in the bunker itself, later than any request may take: each is asked once',
    async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: 2, bunker: { remembersIds: true } });
      const { bunker } = operator;
      const before = bunker.requests.length;
      let isShown: () => void = () => undefined;
      const shown = new Promise<void>((resolve) => (isShown = resolve));
      bunker.setFaults((request) => {
        if (request.method !== 'nip44_encrypt' && request.method !== 'sign_event') return undefined;
        // The documents wait until it is shown that a person may have to approve them.
        return {
          delayMs: APPROVED_AFTER_MS,
          ...(isEncryptionFor(operator, request) ? { after: shown } : {}),
        };
      });
      const beganMs = Date.now();
      const { ids, failure } = await runUnderFault(saga, operator, {
        during: async (run) => {
          await until(async () => {
            const { waiting } = await run.progress();
            return waiting.some(({ why }) => why.includes(PERHAPS_A_PERSON));
          }, SHOWN_WITHIN_MS);
          isShown();
        },
      });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(4);
      // The proof's, and two for each document.
      expect(questions(operator, before)).toBe(1 + 2 * 4);
      if (REAL) console.log({ documents: ids.length, tookMs: Date.now() - beganMs });
    },
    REAL ? 30 * 60_000 : 90_000,
  );

  test('41: a person who is too slow for the proof is asked the same question in its next attempt', async () => {
    const taskQueue = `slow-proof-${process.pid}`;
    const worker = await saga.startWorker({
      env: {
        ...PATIENT,
        REPUBLISH_TASK_QUEUE: taskQueue,
        REPUBLISH_BUNKER_TIMEOUT_MS: '2000',
        REPUBLISH_APPROVAL_TIMEOUT_MS: '3000',
      },
    });
    try {
      const { id, bunker } = await saga.addOperator({ machines: 1 });
      const paired = bunker.requests.length;
      const asked = (method: string): string[] =>
        bunker.requests.slice(paired).flatMap((request) => (request.method === method ? request.id : []));
      // Each attempt at the proof asks for the key. Nobody looks at the text in the first attempt.
      bunker.setFaults(({ method }) =>
        method === 'nip44_encrypt' && asked('get_public_key').length < 2 ? { swallow: true } : undefined,
      );
      const run = await startRepublish(saga.client, id, { taskQueue });
      expect(Object.values(await run.result()).flat()).toHaveLength(2);
      expect(asked('get_public_key').length).toBeGreaterThan(1);
      // The proof's, and one for each document.
      expect(new Set(asked('nip44_encrypt')).size).toBe(3);
    } finally {
      await worker.stop();
    }
  }, 90_000);

  test('41: a person approves the login at a relay later than any request may take: asked once, and the late signature logs in', async () => {
    const relay = await startGatedRelay();
    saga.onStop(() => relay.stop());
    const worker = await saga.startWorker({
      env: {
        ...PATIENT,
        REPUBLISH_TASK_QUEUE: `login-${process.pid}`,
        REPUBLISH_RELAYS: relay.url,
        REPUBLISH_BUNKER_TIMEOUT_MS: '1000',
      },
    });
    try {
      const { id, bunker } = await saga.addOperator({ machines: 1 });
      const isLogin = ({ method, params }: { method: string; params: readonly string[] }): boolean =>
        method === 'sign_event' && params[0]?.includes('"kind":22242') === true;
      bunker.setFaults((request) => (isLogin(request) ? { delayMs: APPROVED_AFTER_MS } : undefined));
      const run = await startRepublish(saga.client, id, { taskQueue: `login-${process.pid}` });
      expect(Object.values(await run.result()).flat()).toHaveLength(2);
      expect(new Set(bunker.requests.filter(isLogin).map((request) => request.id)).size).toBe(1);
    } finally {
      await worker.stop();
    }
  }, 90_000);
});

describe('bunkers with more than one answer', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // A good answer counts within a fifteenth of that time after a refusal.
    await saga.startWorker({ env: REAL ? {} : { ...PATIENT, REPUBLISH_BUNKER_TIMEOUT_MS: '75000' } });
  });
  afterAll(() => saga.stop());

  test('44: of two signers on one key one knows nothing and is quicker: what the other gives counts', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    operator.bunker.setFaults(({ method }) =>
      method === 'nip44_encrypt' || method === 'sign_event' ? { refusedBefore: 'unauthorized' } : undefined,
    );
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
  }, 60_000);

  test('40: after a repair and a retry the proof is another question, whichever worker asks it', async () => {
    const taskQueue = `repaired-${process.pid}`;
    const env = { ...PATIENT, REPUBLISH_TASK_QUEUE: taskQueue };
    const { id, bunker } = await saga.addOperator({ machines: 1, bunker: { remembersIds: true } });
    bunker.setFaults(({ method }) => (method === 'nip44_encrypt' ? { error: 'denied' } : undefined));
    const worker = await saga.startWorker({ env });
    const run = await startRepublish(saga.client, id, { taskQueue, onFailure: 'hold' });
    await until(async () => (await run.progress()).phase === 'holding');
    expect((await run.progress()).blocked).toMatchObject({ type: 'SignerRefused' });
    bunker.setFaults(undefined);
    await worker.stop();
    const another = await saga.startWorker({ env });
    try {
      await run.retry();
      expect(Object.values(await run.result()).flat()).toHaveLength(2);
    } finally {
      await another.stop();
    }
  }, 90_000);

  test.each(['sign_event', 'nip44_encrypt'])(
    '40: a bunker that repeats for ever what it has answered once is asked another question after it (%s)',
    async (refusedMethod) => {
      const operator = await addOperatorWithCanaries(saga, { machines: 1, bunker: { remembersIds: true } });
      let refused = 0;
      operator.bunker.setFaults(({ method }) =>
        // The first nip44_encrypt is the proof's.
        method === refusedMethod && ++refused <= 2 ? { error: 'busy, try again' } : undefined,
      );
      const { ids, failure } = await runUnderFault(saga, operator, {
        input: { documentTypes: ['bitspire-fees'] },
      });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(1);
    },
    60_000,
  );
});
