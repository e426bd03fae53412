import type { FaultAction } from '../../dev/bunker-faults';
import { addOperatorWithCanaries, isEncryptionFor, runUnderFault } from '../support/fault-run';
import { signedObject } from '../support/levers';
import { PATIENT } from '../support/patience';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

const BUNKER_TIMEOUT_MS = 6_000;

/**
 * Slow, throttled and deviating bunkers, with nothing set for them. Times are scaled: `npm test` has no
 * minutes.
 */
describe('bunkers as they are', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker({ env: { ...PATIENT, REPUBLISH_BUNKER_TIMEOUT_MS: String(BUNKER_TIMEOUT_MS) } });
  });
  afterAll(() => saga.stop());

  const signaturesFor = ({ bunker }: SagaOperator): number =>
    bunker.requests.filter(({ method }) => method === 'sign_event').length;

  test('39: a bunker that does one after the other is asked for no more than it can answer in time', async () => {
    // If eight were asked at once, the last answers would come after the deadline. With two at once they come
    // long before it, also on a busy machine.
    const operator = await addOperatorWithCanaries(saga, {
      machines: 5,
      bunker: { answerDelayMs: BUNKER_TIMEOUT_MS / 7.5, concurrency: 1 },
    });
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(10);
    // Nothing was given up and asked for again.
    expect(signaturesFor(operator)).toBe(10);
  }, 120_000);

  test.each(['rate limited', 'busy, try again later'])(
    '40: a bunker that allows so many requests in a while, and answers "%s" to the others: all, and a ciphertext is kept',
    async (error) => {
      const operator = await addOperatorWithCanaries(saga, { machines: 4 });
      const [allowed, withinMs] = [6, 1_000];
      let passed: number[] = [];
      let [encrypted, refused] = [0, 0];
      operator.bunker.setFaults((request) => {
        if (request.method !== 'sign_event' && request.method !== 'nip44_encrypt') return undefined;
        passed = passed.filter((atMs) => atMs > request.atMs - withinMs);
        if (passed.length >= allowed) {
          refused += 1;
          return { error };
        }
        passed.push(request.atMs);
        if (isEncryptionFor(operator, request)) encrypted += 1;
        return undefined;
      });
      const { ids, failure } = await runUnderFault(saga, operator);
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(8);
      expect(encrypted).toBe(8);
      // It is asked more slowly, and not again and again.
      expect(refused).toBeLessThan(32);
    },
    60_000,
  );

  test('40: a bunker that is locked until somebody comes is not asked for each document, and the run goes on then', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 4 });
    const { bunker } = operator;
    let isThere = false;
    bunker.setFaults(({ method }) =>
      method === 'sign_event' && !isThere ? { error: 'signer is locked' } : undefined,
    );
    let asked = 0;
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await until(async () => {
          const { waiting } = await run.progress();
          return waiting.length === 8 && waiting.every(({ why }) => why.includes('it is locked'));
        }, 60_000);
        asked = signaturesFor(operator);
        isThere = true;
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(8);
    // Both pages have asked for one document, perhaps more than once, and not for each.
    expect(asked).toBeLessThan(8);
  }, 150_000);

  test('43: a signed event as an object, and a key in capitals, are the same thing', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const { bunker } = operator;
    bunker.setFaults(({ id, method, params }): FaultAction | undefined => {
      if (method === 'get_public_key') return { reportPubkey: bunker.userPubkey.toUpperCase() };
      return method === 'sign_event' ? { rawJson: signedObject(bunker, id, params[0] ?? '') } : undefined;
    });
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
  }, 60_000);

  test.each([
    ['refusing to sign this event', 'denied'],
    ['kind 30078 is not in signing.allowed_kinds', 'it does not sign this kind of event for this client'],
    [{ code: -32_000, message: 'Not authorized' }, 'it does not know or allow this client'],
  ])(
    '43: %j is a refusal, in words of our own',
    async (error, reason) => {
      const operator = await addOperatorWithCanaries(saga, { machines: 1 });
      operator.bunker.setFaults(({ id, method }) =>
        method === 'sign_event' ? { rawJson: JSON.stringify({ id, result: null, error }) } : undefined,
      );
      const { ids, failure } = await runUnderFault(saga, operator);
      expect(ids).toEqual([]);
      expect(failure?.failures.map(({ type }) => type)).toEqual(['SignerRefused', 'SignerRefused']);
      expect(failure?.failures[0]?.message).toContain(`the bunker refused sign_event: ${reason}`);
    },
    30_000,
  );

  test('45: an approval page for a question that nobody needs is dropped', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    operator.bunker.setFaults(({ method }) =>
      method === 'switch_relays'
        ? { authUrl: 'https://bunker.example.com/approve', then: 'nothing' }
        : undefined,
    );
    const seen: unknown[] = [];
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        for (;;) {
          const progress = await run.progress();
          seen.push(...progress.approvals);
          if (progress.phase === 'done' || progress.phase === 'writing audit') return;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(seen).toEqual([]);
    expect(operator.bunker.requests.some(({ method }) => method === 'switch_relays')).toBe(true);
  }, 60_000);
});
