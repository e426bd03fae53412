import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startRelay } from '../../dev/relay';
import type { Finding } from '../../inspection/doctor/finding';
import { republish } from '../support/command-line';
import { startActivities } from '../support/activities';
import { addOperatorWithCanaries, isEncryptionFor, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';
import { startWorkerChild } from '../support/worker-child';

const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

describe('56: a clock that is wrong', () => {
  let saga: Saga;
  let folder: string;

  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    folder = mkdtempSync(path.join(tmpdir(), 'republish-clock-'));
    saga.onStop(() => rmSync(folder, { recursive: true }));
  });
  afterAll(() => saga.stop());

  const urls = (): string[] => saga.relays.map(({ url }) => url);
  const expectAskedForNothing = (operator: SagaOperator): void => {
    expect(operator.bunker.requests.filter((request) => isEncryptionFor(operator, request))).toEqual([]);
    expect(operator.bunker.requests.some(({ method }) => method === 'sign_event')).toBe(false);
  };

  test("the worker's, 20 minutes ahead: nothing is sealed; set right, the run goes on by itself", async () => {
    const file = path.join(folder, 'ahead-ms');
    writeFileSync(file, String(20 * MINUTE_MS));
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const beganMs = Date.now();
    const worker = await startWorkerChild(saga, {
      env: {
        NODE_OPTIONS: `--require ${path.resolve(__dirname, '../support/shifted-clock.cjs')}`,
        SHIFTED_CLOCK_FILE: file,
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
      },
    });
    const { ids, failure, ledger } = await runUnderFault(saga, operator, {
      during: async (run) => {
        const told = `ClockWrong: this machine's clock is 20 min ahead of Postgres, ${urls().join(' and ')}`;
        await until(async () => (await run.status()).waiting.some(({ why }) => why.startsWith(told)), 60_000);
        expect((await saga.ledger(run.runId)).filter(({ event }) => event !== null)).toEqual([]);
        expectAskedForNothing(operator);
        writeFileSync(file, '0');
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    // However long it took: within the time of the test, and not 20 minutes ahead of it.
    for (const { event } of ledger) {
      expect((event?.created_at ?? 0) * 1000).toBeGreaterThan(beganMs - MINUTE_MS);
      expect((event?.created_at ?? 0) * 1000).toBeLessThan(Date.now() + MINUTE_MS);
    }
    await worker.stop('SIGTERM', 5_000);
  }, 180_000);

  test.each([
    ['2 minutes behind', -2 * MINUTE_MS, '2 min behind'],
    ['a year ahead', YEAR_MS, '365 days ahead of'],
  ])("the worker's, %s of two relays that agree: nothing is sealed", async (_, aheadMs, words) => {
    const relays = await Promise.all([1, 2].map(() => startRelay({ clockAheadMs: () => -aheadMs })));
    saga.onStop(() => Promise.all(relays.map((relay) => relay.stop())));
    const bench = startActivities(saga, {
      // One try: a slow machine must not end it for another reason.
      env: {
        REPUBLISH_RELAYS: relays.map(({ url }) => url).join(','),
        REPUBLISH_RELAY_TIMEOUT_MS: '20000',
        REPUBLISH_BUNKER_TIMEOUT_MS: '30000',
      },
    });
    const operator = await saga.addOperator({ machines: 2 });
    const { runId } = await bench.plan(operator);
    await expect(bench.call('republishDocuments', { runId, page: 0 })).rejects.toMatchObject({
      type: 'ClockWrong',
      nonRetryable: false,
      message: expect.stringContaining(words),
    });
    expect((await saga.ledger(runId)).filter(({ event }) => event !== null)).toEqual([]);
    expectAskedForNothing(operator);
  });

  test('that of one relay alone: the run goes on, and doctor says which', async () => {
    const wrong = await startRelay({ clockAheadMs: () => -20 * MINUTE_MS });
    saga.onStop(() => wrong.stop());
    const env = { REPUBLISH_RELAYS: [wrong.url, ...urls()].join(',') };
    const worker = await saga.startWorker({ env });
    const operator = await saga.addOperator({ machines: 1 });
    expect(Object.values(await (await saga.start(operator.id)).result()).flat()).toHaveLength(2);
    expect(
      saga.logs.filter((line) => line.includes('a minute apart') && line.includes(wrong.url)),
    ).toHaveLength(1);
    await worker.stop();
    const { stdout } = await republish(['doctor', '--json', '--operator', operator.id], {
      ...saga.env,
      ...env,
    });
    const findings = (JSON.parse(stdout) as Finding[]).filter(
      ({ area, subject }) => area === 'clock' || subject === wrong.url,
    );
    expect(findings).toMatchObject([
      { area: 'relay', subject: wrong.url, message: expect.stringContaining("behind this host's") },
      { area: 'clock', status: 'warn', message: expect.stringContaining(wrong.url) },
    ]);
  }, 120_000);
});
