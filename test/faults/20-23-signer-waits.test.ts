import type { BunkerRequest } from '../../dev/bunker-faults';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, isEncryptionFor, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

const PAGE = 'https://bunker.example.com/approve?token=canary-approval-page';
const BUNKER_KIND = 24133;
const BUNKER_TIMEOUT_MS = 4_000;

describe('the signer makes wait', () => {
  let saga: Saga;
  let proxy: FaultProxy;

  beforeAll(async () => {
    saga = await startSaga();
    proxy = await startFaultProxy(saga.relays[0]?.url ?? '');
    saga.onStop(() => proxy.stop());
    // Longer than a busy machine pauses a process: each test says when the person answers.
    await saga.startWorker({
      env: {
        REPUBLISH_APPROVAL_TIMEOUT_MS: '60000',
        REPUBLISH_BUNKER_TIMEOUT_MS: `${BUNKER_TIMEOUT_MS}`,
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000',
      },
    });
  });
  afterEach(() => proxy.setFault(undefined));
  afterAll(() => saga.stop());

  const asked = ({ bunker }: SagaOperator, method: string) =>
    bunker.requests.filter((request) => request.method === method).length;
  /** Different questions: one that waits long is sent again under the same id. */
  const questions = (operator: SagaOperator, isCounted: (request: BunkerRequest) => boolean) =>
    new Set(operator.bunker.requests.filter(isCounted).map(({ id }) => id)).size;

  test.each([
    ['a document', isEncryptionFor],
    [
      'the proof',
      (operator: SagaOperator, request: BunkerRequest) =>
        request.method === 'nip44_encrypt' && !isEncryptionFor(operator, request),
    ],
  ] as const)(
    '20: a person is asked once, for %s, and approves: shown meanwhile, the others are not asked, the run completes',
    async (_what, isAskedFor) => {
      const operator = await addOperatorWithCanaries(saga, { machines: 3 });
      const encryptedByPairing = questions(operator, ({ method }) => method === 'nip44_encrypt');
      const heard: BunkerRequest[] = [];
      let approve: () => void = () => undefined;
      const approved = new Promise<void>((resolve) => (approve = resolve));
      operator.bunker.setFaults((request) =>
        // Longer than a request may take without a person.
        isAskedFor(operator, request) && heard.push(request) === 1
          ? { authUrl: PAGE, afterMs: BUNKER_TIMEOUT_MS + 500, after: approved }
          : undefined,
      );
      let askedMeanwhile = 0;
      const { ids, failure, audit } = await runUnderFault(saga, operator, {
        async during(run) {
          await until(async () => (await run.progress()).approvals.includes(PAGE));
          // Long enough for a request that should not be sent.
          await new Promise((resolve) => setTimeout(resolve, 500));
          askedMeanwhile = asked(operator, 'sign_event');
          approve();
        },
      });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(6);
      // Requests from before the page go on; nothing new is asked while the page is open.
      expect(askedMeanwhile).toBeLessThan(isAskedFor === isEncryptionFor ? 6 : 1);
      // What the person was asked was not asked again: the person's patience is another than the bunker's.
      // One question for each document, and one for the proof.
      expect(heard.filter(({ id }) => id === heard[0]?.id)).toHaveLength(1);
      const all = questions(operator, ({ method }) => method === 'nip44_encrypt');
      expect(all - encryptedByPairing).toBe(6 + 1);
      expect(JSON.stringify(audit)).not.toContain('canary-approval-page');
      expect(saga.logs.join('')).not.toContain('canary-approval-page');
    },
    60_000,
  );

  test('20: a person is asked twice in a run', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const heard: Record<string, number> = {};
    const shown = new Set<string>();
    operator.bunker.setFaults(({ method }) => {
      heard[method] = (heard[method] ?? 0) + 1;
      const isFirst = heard[method] === 1 && (method === 'nip44_encrypt' || method === 'sign_event');
      if (!isFirst) return undefined;
      const page = `${PAGE}&for=${method}`;
      // The person approves what was shown.
      return { authUrl: page, after: until(() => shown.has(page)) };
    });
    const { ids, failure } = await runUnderFault(saga, operator, {
      async during(run) {
        await until(async () => {
          for (const page of (await run.progress()).approvals) shown.add(page);
          return shown.size === 2;
        });
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
  }, 60_000);

  describe('20: nobody approves', () => {
    let hasty: Saga;
    beforeAll(async () => {
      hasty = await startSaga();
      await hasty.startWorker({ env: { REPUBLISH_APPROVAL_TIMEOUT_MS: '1000' } });
    });
    afterAll(() => hasty.stop());

    test('a document: it ends at its limit, says so, and shows the page nowhere else', async () => {
      const operator = await addOperatorWithCanaries(hasty, { machines: 1 });
      operator.bunker.setFaults((request) =>
        isEncryptionFor(operator, request) ? { authUrl: PAGE, then: 'nothing' } : undefined,
      );
      const { ids, failure, audit } = await runUnderFault(hasty, operator, {
        input: { documentTypes: ['bitspire-fees'] },
      });
      expect(ids).toEqual([]);
      expect(failure?.failures).toMatchObject([{ type: 'SignerApprovalPending' }]);
      expect(failure?.failures[0]?.message).toContain('nobody did within 1000 ms');
      expect(JSON.stringify([audit, failure])).not.toContain('canary-approval-page');
      expect(hasty.logs.join('')).not.toContain('canary-approval-page');
    }, 120_000);

    test('the proof: the run ends at its limit, says so, and gives no document to the signer', async () => {
      const operator = await addOperatorWithCanaries(hasty, { machines: 1 });
      operator.bunker.setFaults(({ method }) =>
        method === 'nip44_encrypt' ? { authUrl: PAGE, then: 'nothing' } : undefined,
      );
      const { ids, failure, audit } = await runUnderFault(hasty, operator);
      expect(ids).toEqual([]);
      expect(failure).toMatchObject({
        type: 'SignerApprovalPending',
        message: expect.stringContaining('nobody did within 1000 ms'),
      });
      expect(audit).toMatchObject({ outcome: 'failed' });
      expect(audit.failures).toMatchObject([{ type: 'NotAttempted' }, { type: 'NotAttempted' }]);
      expect(operator.bunker.requests.filter((request) => isEncryptionFor(operator, request))).toEqual([]);
      expect(JSON.stringify([audit, failure])).not.toContain('canary-approval-page');
      expect(hasty.logs.join('')).not.toContain('canary-approval-page');
    }, 120_000);
  });

  test('23: the bunker’s relay limits the rate, sends no OK for what it passes on, and drops the connection: paced, no request lost', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 8 });
    // The worker reaches the bunker through the proxy, the bunker its relay directly.
    await saga.database.query('UPDATE republish.signers SET bunker_relays = $2 WHERE operator_user_id = $1', [
      operator.id,
      [proxy.url],
    ]);
    const perSecond = 4;
    let tokens = perSecond;
    let filledAtMs = Date.now();
    let refused = 0;
    let passed = 0;
    proxy.setFault(({ type, event }) => {
      if (type !== 'EVENT' || event?.kind !== BUNKER_KIND) return undefined;
      const nowMs = Date.now();
      tokens = Math.min(perSecond, tokens + ((nowMs - filledAtMs) / 1_000) * perSecond);
      filledAtMs = nowMs;
      // Also where this machine is slower than the limit.
      if (tokens < 1 || (passed === 12 && refused === 0)) {
        refused += 1;
        return { answer: { ok: false, message: 'rate-limited: slow down' } };
      }
      tokens -= 1;
      passed += 1;
      return passed === 10 || passed === 20 ? { drop: 'before' } : { swallowAnswer: true };
    });
    const { ids, failure, ledger } = await runUnderFault(saga, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(16);
    expect(refused).toBeGreaterThan(0);
    // It was found and kept to, and not run against.
    expect(refused).toBeLessThan(passed);
    expect(ledger.every(({ outcome }) => outcome === 'published')).toBe(true);
  }, 60_000);
});
