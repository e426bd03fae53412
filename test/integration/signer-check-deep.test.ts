import type { FaultAction } from '../../dev/bunker-faults';
import type { DeepCheck } from '../../pairing/deep-check';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { REAL } from '../support/real-timings';
import type { Saga, SagaOperator } from '../support/saga';

/** `republish signer check --deep`, and what `plan` makes of it. */
describe('a signer that is tried', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
  });
  afterAll(() => saga.stop());

  type Checked = DeepCheck & { documents: number; tookMs: number | null };

  async function check({ id }: SagaOperator, env: Record<string, string> = {}) {
    const { code, stdout, stderr } = await republish(['signer', 'check', id, '--deep', '--json'], {
      ...saga.env,
      ...env,
    });
    const checked = JSON.parse(stdout) as Checked;
    const of = (what: string) => checked.trials.find((trial) => trial.what === what);
    return { code, checked, of, stderr };
  }
  const failing = (operator: SagaOperator, method: string, action: FaultAction, kind?: number): void =>
    operator.bunker.setFaults((request) =>
      request.method === method && (kind === undefined || request.params[0]?.includes(`"kind":${kind}`))
        ? action
        : undefined,
    );
  const planOf = ({ id }: SagaOperator) => republish(['plan', id], saga.env);

  test(
    'one that is serial: all is well, at most 12 requests, announced; plan and run agree with it',
    async () => {
      const delayMs = REAL ? 5_000 : 250;
      const operator = await saga.addOperator({
        machines: 6,
        bunker: { answerDelayMs: delayMs, concurrency: 1 },
      });
      expect((await planOf(operator)).stdout).not.toContain('the signer will take');
      const before = operator.bunker.requests.length;
      const shown = await republish(['signer', 'check', operator.id, '--deep'], saga.env);
      expect(shown.stderr).toMatch(/^gives the signer up to 12 requests; a bunker may ask a person/);
      expect(shown).toMatchObject({ code: 0 });
      expect(operator.bunker.requests.length - before).toBeLessThanOrEqual(12);
      expect(shown.stdout).toMatch(/^signature of a document +ok/m);
      expect(shown.stdout).toMatch(/^signature for a relay +ok/m);
      expect(shown.stdout).toMatch(/^largest state +ok +28672 bytes get through/m);
      expect(shown.stdout).toMatch(/^prompting +ok +nobody was asked/m);
      expect(shown.stdout).toMatch(/^clock +ok/m);
      expect(shown.stdout).toMatch(/^12 documents: about \d+ (s|min)$/m);

      const planned = await republish(['plan', operator.id, '--json'], saga.env);
      const { estimate } = JSON.parse(planned.stdout) as { estimate: { tookMs: number } };
      expect(estimate).toMatchObject({ documents: 12, from: 'check' });
      expect((await planOf(operator)).stdout).toContain('at the speed of signer check --deep on ');

      // A slow machine makes both longer, and neither shorter than what the bunker needs.
      expect(estimate.tookMs).toBeGreaterThanOrEqual(12 * 2 * delayMs);

      const worker = await saga.startWorker();
      const beganMs = Date.now();
      await (await saga.start(operator.id)).result();
      const tookMs = Date.now() - beganMs;
      await worker.stop();
      if (REAL) {
        console.log({ estimateMs: estimate.tookMs, tookMs });
        expect(tookMs).toBeLessThan(2 * estimate.tookMs);
        expect(tookMs).toBeGreaterThan(estimate.tookMs / 2);
      }

      // The run itself is the newer measure of it.
      const again = await republish(['plan', operator.id, '--force', '--json'], saga.env);
      const measured = (JSON.parse(again.stdout) as { estimate: { tookMs: number } }).estimate;
      // What the machines count themselves is not forced.
      expect(measured).toMatchObject({ documents: 6, from: 'run' });
      expect(measured.tookMs).toBeGreaterThan(6 * delayMs);
    },
    REAL ? 15 * 60_000 : 120_000,
  );

  test.each<[string, string, FaultAction, string, number]>([
    ['refuses to sign', 'sign_event', { error: 'denied' }, 'SignerRefused', 4],
    ['encrypts another text', 'nip44_encrypt', { encryptText: 'other' }, 'SignerCannotEncrypt', 4],
  ])(
    'one that %s: the failure, its remedy, and nothing is known of its speed',
    async (_, method, action, type, code) => {
      const operator = await saga.addOperator({ machines: 1 });
      failing(operator, method, action);
      const { checked, ...result } = await check(operator);
      expect(result.code).toBe(code);
      expect(checked.trials.flatMap(({ failure }) => failure ?? [])).toMatchObject([
        { type, message: expect.any(String), remedy: expect.any(String) },
      ]);
      expect(checked).toMatchObject({ documents: 2, tookMs: null, speed: null });
    },
  );

  test('one that signs for no relay is warned of, and no more', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    failing(operator, 'sign_event', { error: 'not allowed' }, 22242);
    const { code, of } = await check(operator);
    expect(of('signature for a relay')).toMatchObject({ result: 'warning' });
    expect(code).toBe(0);
  });

  test('one that takes no large request: what the largest document of today says', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    operator.bunker.setFaults(({ method, params }) => ({
      swallow: method === 'nip44_encrypt' && (params[1]?.length ?? 0) > 2_000,
    }));
    // Long enough for the answers to the other requests, also of a slow machine.
    const { code, of } = await check(operator, { REPUBLISH_BUNKER_TIMEOUT_MS: '5000' });
    expect(of('largest state')).toMatchObject({
      result: 'warning',
      detail: expect.stringContaining('28672 bytes do not get through'),
    });
    expect(code).toBe(0);
  });

  test('one that shows a page is told apart from one that answers by itself', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    failing(operator, 'sign_event', { authUrl: 'https://bunker.example.com/approve', afterMs: 50 });
    const { checked, of } = await check(operator);
    expect(of('prompting')).toMatchObject({ result: 'warning' });
    expect(checked.tookMs).toBeNull();
  });
});
