import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { BunkerRequest, FaultAction } from '../../dev/bunker-faults';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, isEncryptionFor, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

describe('the signer misbehaves', () => {
  let saga: Saga;
  let proxy: FaultProxy;

  beforeAll(async () => {
    saga = await startSaga();
    proxy = await startFaultProxy(saga.relays[0]?.url ?? '');
    saga.onStop(() => proxy.stop());
  });
  afterAll(() => saga.stop());

  /** A worker for the tests of a group. How long it waits for the bunker is the matter of each group. */
  function withWorker(env: { bunkerTimeoutMs: string; documentTimeoutMs: string }): void {
    let worker: Awaited<ReturnType<Saga['startWorker']>>;
    beforeAll(async () => {
      worker = await saga.startWorker({ env: workerEnv(env) });
    });
    afterAll(() => worker.stop());
  }
  const workerEnv = (env: {
    bunkerTimeoutMs: string;
    documentTimeoutMs: string;
  }): Record<string, string> => ({
    REPUBLISH_RELAYS: proxy.url,
    REPUBLISH_BUNKER_TIMEOUT_MS: env.bunkerTimeoutMs,
    REPUBLISH_DOCUMENT_TIMEOUT_MS: env.documentTimeoutMs,
    // No relay is silent and no worker dies here, however long they have to wait for the processor.
    REPUBLISH_RELAY_TIMEOUT_MS: '20000',
    REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
  });

  /** Counted in front of the relay: what it stores would not show an EVENT that it refused. */
  const sentFor = ({ bunker }: SagaOperator) =>
    proxy.events().filter(({ pubkey }) => pubkey === bunker.userPubkey);
  const asked = ({ bunker }: SagaOperator, method: string) =>
    bunker.requests.filter((request) => request.method === method).length;
  const encryptionsOf = (operator: SagaOperator): number =>
    operator.bunker.requests.filter((request) => isEncryptionFor(operator, request)).length;
  const oneDocument = { documentTypes: ['bitspire-fees'] };

  /** Each first request of a method goes wrong, or every one. */
  const goWrong = (operator: SagaOperator, on: string, action: FaultAction, times = Infinity): void => {
    let left = times;
    operator.bunker.setFaults(({ method }) => (method === on && left-- > 0 ? action : undefined));
  };

  /** Each machine's document meets with its own of some ways to go wrong. */
  const eachItsOwn =
    <T>({ machines }: SagaOperator, ways: readonly T[]) =>
    ({ params }: BunkerRequest): T | undefined =>
      ways[machines.findIndex(({ atmPubkey }) => params.some((text) => text.includes(atmPubkey)))];

  /** So long that only a bunker that is silent for good is not waited for. */
  const PATIENT = { bunkerTimeoutMs: '20000', documentTimeoutMs: '60000' };

  describe('it is silent for a while', () => {
    withWorker({ bunkerTimeoutMs: '2000', documentTimeoutMs: '30000' });

    test('16: the bunker is silent now and then: a deadline for each request, asked again, the run completes', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: 1 });
      const heard: Record<string, number> = {};
      operator.bunker.setFaults(({ method }) => {
        heard[method] = (heard[method] ?? 0) + 1;
        return heard[method] % 3 === 1 ? { swallow: true } : undefined;
      });
      const { ids, failure } = await runUnderFault(saga, operator);
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(2);
      expect(asked(operator, 'sign_event')).toBeGreaterThan(2);
    }, 60_000);

    test('16: the bunker dies in the middle of a signature and comes back', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: 2, bunker: { answerDelayMs: 50 } });
      let died = false;
      operator.bunker.setFaults(({ method }) => {
        if (method === 'sign_event' && !died) {
          died = true;
          operator.bunker.pause();
          setTimeout(() => operator.bunker.resume(), 2_500);
        }
        return undefined;
      });
      const { ids, failure } = await runUnderFault(saga, operator);
      expect(died).toBe(true);
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(4);
    }, 60_000);
  });

  describe('it is silent for good', () => {
    withWorker({ bunkerTimeoutMs: '2000', documentTimeoutMs: '5000' });

    test('16: the bunker never answers again: the run ends within its bound and says why', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: 1 });
      goWrong(operator, 'sign_event', { swallow: true });
      const { ids, failure } = await runUnderFault(saga, operator, { input: oneDocument });
      expect(ids).toEqual([]);
      expect(failure?.failures.map(({ type }) => type)).toEqual(['SignerTimeout']);
      expect(sentFor(operator)).toEqual([]);
    }, 60_000);

    const BAD_ANSWERS: [FaultAction, RegExp][] = [
      // First those that end their document at once: the signer's silence is the failure of all that still wait.
      [{ result: '' }, /^SignerReturnedWrongEvent$/],
      [{ error: 'denied' }, /^SignerRefused$/],
      [{ rawPayload: 'AgAAno-ciphertext' }, /^SignerTimeout$/],
      [{ rawJson: 'no {json' }, /^SignerTimeout$/],
      // A client may also name it at once.
      [{ nip04: true }, /^Signer/],
    ];
    test('19: answers that are undecryptable, not JSON, NIP-04, empty or "denied": typed failures, and the worker lives', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: BAD_ANSWERS.length });
      const answerTo = eachItsOwn(operator, BAD_ANSWERS);
      operator.bunker.setFaults((request) =>
        request.method === 'sign_event' ? answerTo(request)?.[0] : undefined,
      );
      const failed = await runUnderFault(saga, operator, { input: oneDocument });
      for (const [index, [, type]] of BAD_ANSWERS.entries()) {
        const machineId = operator.machines[index]?.id;
        expect(failed.failure?.failures.find((each) => each.machineId === machineId)?.type).toMatch(type);
      }
      expect(JSON.stringify(failed.failure?.failures)).toContain('NIP-04');
      expect(sentFor(operator)).toEqual([]);

      // The same worker, once the bunker is itself again.
      operator.bunker.setFaults(undefined);
      const next = await runUnderFault(saga, operator, { input: oneDocument });
      expect(next.failure).toBeUndefined();
      expect(next.ids).toHaveLength(BAD_ANSWERS.length);
    }, 90_000);
  });

  describe('it answers wrongly', () => {
    withWorker(PATIENT);

    test('17: the bunker reports another public key: ends before the first signature', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: 2 });
      const encryptedByPairing = asked(operator, 'nip44_encrypt');
      goWrong(operator, 'get_public_key', { reportPubkey: getPublicKey(generateSecretKey()) });
      const { failure, audit } = await runUnderFault(saga, operator);
      expect(failure).toMatchObject({ type: 'SignerPubkeyMismatch', remedy: expect.any(String) });
      expect(audit.outcome).toBe('failed');
      expect(asked(operator, 'nip44_encrypt')).toBe(encryptedByPairing);
      expect(asked(operator, 'sign_event')).toBe(0);
      expect(sentFor(operator)).toEqual([]);
    }, 60_000);

    const WRONG_SIGNATURES: FaultAction[] = [
      { signWith: generateSecretKey() },
      { mutateEvent: (event) => ({ ...event, content: `${event.content}A` }) },
      { mutateEvent: (event) => ({ ...event, kind: 30079 }) },
      { mutateEvent: (event) => ({ ...event, tags: [...event.tags, ['t', 'x']] }) },
      { mutateEvent: (event) => ({ ...event, created_at: event.created_at - 1 }) },
      { mutateEvent: (event) => ({ ...event, sig: 'ab'.repeat(64) }) },
      { mutateEvent: (event) => ({ ...event, id: 'ab'.repeat(32) }) },
    ];
    test('18: the bunker signs with another key, other contents, kind, tags or date, or badly: asked once each, nothing is published', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: WRONG_SIGNATURES.length });
      const wayOf = eachItsOwn(operator, WRONG_SIGNATURES);
      operator.bunker.setFaults((request) => (request.method === 'sign_event' ? wayOf(request) : undefined));
      const { ids, failure } = await runUnderFault(saga, operator, { input: oneDocument });
      expect(ids).toEqual([]);
      expect(failure?.failures.map(({ type }) => type)).toEqual(
        WRONG_SIGNATURES.map(() => 'SignerReturnedWrongEvent'),
      );
      expect(asked(operator, 'sign_event')).toBe(WRONG_SIGNATURES.length);
      expect(sentFor(operator)).toEqual([]);
    });

    test('21: answers late, out of order and each three times, two workers on one client key: extras are ignored', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: 6 });
      operator.bunker.setFaults((_request, index) => ({ duplicate: 2, delayMs: (index * 137) % 400 }));
      const second = await saga.startWorker({ env: workerEnv(PATIENT) });
      const { ids, failure, run } = await runUnderFault(saga, operator);
      await second.stop();
      expect(failure).toBeUndefined();
      expect(new Set(ids).size).toBe(12);
      // Each attempt asks once for each document. On a busy machine Temporal may take an attempt for lost and
      // make another. An extra answer makes nobody ask again.
      const attempts = await saga.attempts(run.runId);
      expect(asked(operator, 'sign_event')).toBeGreaterThanOrEqual(12);
      expect(asked(operator, 'sign_event')).toBeLessThanOrEqual(
        6 * attempts.reduce((sum, each) => sum + each),
      );
    }, 60_000);

    const BAD_CIPHERTEXTS: [string, (text: string) => string][] = [
      ['the plaintext', (text) => text],
      ['garbage', () => 'c29tZXRoaW5nIGVsc2U='],
      ['a ciphertext too short for it', () => Buffer.alloc(99, 2).toString('base64')],
      [
        'NIP-04',
        () => `${Buffer.alloc(64, 7).toString('base64')}?iv=${Buffer.alloc(16, 7).toString('base64')}`,
      ],
    ];
    // What is no ciphertext is told by one rule, which the documents below meet with all of them.
    test.each(
      process.env.REPUBLISH_TEST_EACH_ALONE === 'yes' ? BAD_CIPHERTEXTS : BAD_CIPHERTEXTS.slice(0, 1),
    )(
      '22: the "ciphertext" is %s, from the proof on: no document is given to that signer',
      async (_what, resultFor) => {
        const operator = await addOperatorWithCanaries(saga, { machines: 1 });
        const encryptedByPairing = asked(operator, 'nip44_encrypt');
        operator.bunker.setFaults(({ method, params }) =>
          method === 'nip44_encrypt' ? { result: resultFor(params[1] ?? '') } : undefined,
        );
        const { ids, failure, ledger } = await runUnderFault(saga, operator, { input: oneDocument });
        expect(ids).toEqual([]);
        expect(failure).toMatchObject({ type: 'SignerCannotEncrypt', remedy: expect.any(String) });
        expect(asked(operator, 'nip44_encrypt')).toBe(encryptedByPairing + 1);
        expect(encryptionsOf(operator)).toBe(0);
        expect(asked(operator, 'sign_event')).toBe(0);
        expect(ledger).toMatchObject([{ outcome: 'failed', event: null }]);
        expect(sentFor(operator)).toEqual([]);
      },
    );

    test('22: the "ciphertext" of a document is the plaintext, garbage, too short or NIP-04: refused, never signed, never published', async () => {
      const operator = await addOperatorWithCanaries(saga, { machines: BAD_CIPHERTEXTS.length });
      const wayOf = eachItsOwn(operator, BAD_CIPHERTEXTS);
      operator.bunker.setFaults((request) => {
        if (!isEncryptionFor(operator, request)) return undefined;
        return { result: wayOf(request)?.[1](request.params[1] ?? '') ?? 'nothing' };
      });
      const { ids, failure } = await runUnderFault(saga, operator, { input: oneDocument });
      expect(ids).toEqual([]);
      expect(failure?.failures.map(({ type }) => type)).toEqual(
        BAD_CIPHERTEXTS.map(() => 'SignerReturnedWrongEvent'),
      );
      expect([encryptionsOf(operator), asked(operator, 'sign_event')]).toEqual([BAD_CIPHERTEXTS.length, 0]);
      expect(sentFor(operator)).toEqual([]);
    });
  });
});
