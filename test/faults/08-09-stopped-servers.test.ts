import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startTemporalServer } from '../../embedded/temporal-server/start';
import { startWorkerProcess } from '../../embedded/worker-process';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';
import { startWorkerChild } from '../support/worker-child';

/** Slow enough for something to happen in the middle. */
const SLOW_BUNKER = { answerDelayMs: 150, concurrency: 1 };
/**
 * No bunker and no relay is silent here. They run in another process than the worker, and a busy machine may
 * let one of the two wait.
 */
const PATIENT = {
  REPUBLISH_BUNKER_TIMEOUT_MS: '30000',
  REPUBLISH_RELAY_TIMEOUT_MS: '20000',
  REPUBLISH_HEARTBEAT_TIMEOUT_MS: '6000',
};
/** No worker dies: one that has to wait for the processor must not count as lost. */
const NOBODY_DIES = { ...PATIENT, REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000' };

test('8: SIGTERM in the middle of documents: drained within the grace period, exit 0, another worker goes on', async () => {
  const saga = await startSaga();
  try {
    const operator = await addOperatorWithCanaries(saga, { machines: 3, bunker: SLOW_BUNKER });
    const log = (line: string): void => void saga.logs.push(line);
    const first = await startWorkerProcess({ ...saga.env, ...NOBODY_DIES }, log);
    saga.onStop(() => first.stop('SIGKILL', 1_000));
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await until(async () => (await saga.ledger(run.runId)).some(({ signature }) => signature !== null));
        first.kill('SIGTERM');
        const second = await startWorkerProcess({ ...saga.env, ...NOBODY_DIES }, log);
        saga.onStop(() => second.stop('SIGTERM', 35_000));
        await first.exited;
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(6);
    // A worker that does not drain in time exits with 1.
    expect(first.epitaph()).toMatch(/^exit code 0/);
    // Nobody was asked twice: what was in work was finished, not dropped.
    expect(operator.bunker.requests.filter(({ method }) => method === 'sign_event')).toHaveLength(6);
  } finally {
    await saga.stop();
  }
}, 120_000);

test('9: Temporal killed and started again on its file: the worker finds it again, the run completes', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'republish-faults-'));
  const options = {
    executable: testServers().temporalCli,
    headless: true,
    dbFilename: path.join(directory, 'temporal.db'),
  };
  let temporal = await startTemporalServer(options);
  const saga = await startSaga({ temporalAddress: temporal.address });
  try {
    const operator = await addOperatorWithCanaries(saga, { machines: 4, bunker: SLOW_BUNKER });
    const worker = await startWorkerChild(saga, { env: PATIENT });
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await until(async () => (await saga.ledger(run.runId)).some(({ signature }) => signature !== null));
        temporal.kill('SIGKILL');
        await temporal.exited;
        const port = Number(temporal.address.split(':')[1]);
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        temporal = await startTemporalServer({ ...options, port });
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(8);
    expect(worker.hasExited()).toBe(false);
  } finally {
    await saga.stop();
    await temporal.stop();
    await rm(directory, { recursive: true, force: true });
  }
}, 150_000);
