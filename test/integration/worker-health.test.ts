import { createServer } from 'node:net';
import { type RunningPostgres, startPostgres } from '../../embedded/postgres';
import { startTemporalServer, type TemporalServer } from '../../embedded/temporal-server/start';
import { republish } from '../support/command-line';
import { type MonitoredWorker, startMonitoredWorker } from '../support/monitored-worker';
import { type Saga, startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

describe('health of `republish worker`', () => {
  let postgres: RunningPostgres;
  let temporal: TemporalServer;
  let saga: Saga;
  let worker: MonitoredWorker;

  beforeAll(async () => {
    [postgres, temporal] = await Promise.all([
      startPostgres(),
      startTemporalServer({ executable: testServers().temporalCli, headless: true }),
    ]);
    saga = await startSaga({ postgresUrl: postgres.url, temporalAddress: temporal.address });
    worker = await startMonitoredWorker({ ...saga.env, REPUBLISH_SHUTDOWN_GRACE_MS: '3000' });
  }, 90_000);
  afterAll(async () => {
    await worker.process.stop('SIGKILL', 1_000);
    await saga.stop();
    await Promise.all([postgres.stop(), temporal.stop()]);
  }, 60_000);

  const isReady = async (): Promise<boolean> => (await worker.get('/readyz')).status === 200;
  /** A busy server may be missed for a moment, too: only this reason counts. */
  const says = async ({ get }: MonitoredWorker, why: string): Promise<boolean> => {
    const { status, body } = await get('/readyz');
    return status === 503 && body === why;
  };

  test('is alive and ready; other paths and methods are refused', async () => {
    await until(isReady, 30_000);
    expect(await worker.get('/livez')).toEqual({ status: 200, body: 'alive\n' });
    expect((await worker.get('/')).status).toBe(404);
  });

  test('is alive but not ready while Postgres is away, and ready again after', async () => {
    await postgres.pause('fast');
    await until(() => says(worker, 'Postgres does not answer\n'), 30_000);
    expect((await worker.get('/livez')).status).toBe(200);
    await postgres.resume();
    await until(isReady, 30_000);
  }, 90_000);

  test('is alive but not ready while Temporal does not answer, and ready again after', async () => {
    temporal.kill('SIGSTOP');
    try {
      await until(() => says(worker, 'Temporal does not answer\n'), 30_000);
      expect((await worker.get('/livez')).status).toBe(200);
    } finally {
      temporal.kill('SIGCONT');
    }
    await until(isReady, 30_000);
  }, 90_000);

  test('ends within its bound when a bunker never answers, and says meanwhile that it drains', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const stuck = await startMonitoredWorker({
      ...saga.env,
      // Long enough to be asked meanwhile.
      REPUBLISH_SHUTDOWN_GRACE_MS: '10000',
      REPUBLISH_BUNKER_TIMEOUT_MS: '600000',
    });
    // The other one would go on with the run, and so hide what the end of this one leaves.
    await worker.process.stop('SIGTERM', 30_000);
    expect(worker.process.epitaph()).toMatch(/^exit code 0/);
    const run = await saga.start(id);
    bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
    await until(() => bunker.requests.some(({ method }) => method === 'sign_event'), 30_000);

    const toldAtMs = Date.now();
    stuck.process.kill('SIGTERM');
    await until(() => says(stuck, 'the worker is draining\n'), 10_000);
    expect((await stuck.get('/livez')).status).toBe(200);
    await stuck.process.exited;
    // The grace period, ten seconds for cancelled documents to notice, ten more until the process gives
    // itself up; and far from the bunker's ten minutes where the machine is busy.
    expect(Date.now() - toldAtMs).toBeLessThan(10_000 + 20_000 + 30_000);
    expect(stuck.process.epitaph()).toMatch(/^exit code 0/);

    bunker.setFaults(undefined);
    worker = await startMonitoredWorker(saga.env);
    expect(Object.values(await run.result()).flat()).toHaveLength(2);
  }, 180_000);
});

test('a worker whose address is taken says so and what to do, and does not run without', async () => {
  const saga = await startSaga();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };
  try {
    const { code, stderr } = await republish(['worker'], {
      ...saga.env,
      REPUBLISH_METRICS_ADDRESS: `127.0.0.1:${port}`,
    });
    expect(code).toBe(1);
    expect(stderr).toContain(`metrics cannot be served at 127.0.0.1:${port} (EADDRINUSE)`);
    expect(stderr).toContain('change REPUBLISH_METRICS_ADDRESS');
  } finally {
    taken.close();
    await saga.stop();
  }
});
