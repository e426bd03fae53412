import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  findRepublish,
  type Progress,
  republishOperatorConfigs,
  RepublishFailed,
  RunNotFound,
} from '../../client/index';
import { fails } from '../support/fails';
import { holdAfter } from '../support/gate';
import { type Saga, startSaga } from '../support/saga';

/** What a migration script imports, by the package's own name and as it is built. */
describe('republish-operator-configs/client', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  const script = async (source: string, kind: 'module' | 'commonjs'): Promise<unknown> => {
    const { stdout } = await promisify(execFile)(process.execPath, [`--input-type=${kind}`, '-e', source], {
      cwd: path.resolve(__dirname, '../..'),
      env: { PATH: process.env.PATH, ...saga.env },
    });
    return JSON.parse(stdout);
  };

  test('one line in an ES module and in CommonJS, with the connection from the environment', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const fromModule = await script(
      `import { republishOperatorConfigs } from 'republish-operator-configs/client';
       const events = await republishOperatorConfigs('${id}');
       console.log(JSON.stringify(events));`,
      'module',
    );
    expect(Object.values(fromModule as Record<string, string[]>).flat()).toHaveLength(2);
    const fromCommonJs = await script(
      `const { republishOperatorConfigs } = require('republish-operator-configs/client');
       republishOperatorConfigs('${id}').then((events) => console.log(JSON.stringify(events)));`,
      'commonjs',
    );
    expect(fromCommonJs).toEqual(fromModule);
  });

  test('with a client of its own, and a failure that says what stands and what to do', async () => {
    const { id, machines } = await saga.addOperator({ machines: 1 });
    const options = { client: saga.client, taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '' };
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [machines[0]?.id],
    );
    const failure = await fails(RepublishFailed, republishOperatorConfigs(id, options));
    expect(failure).toMatchObject({
      type: 'RepublishIncomplete',
      published: { 'bitspire-cassettes': [expect.any(String)], 'bitspire-fees': [] },
      failures: [{ type: 'StateInvalid', documentType: 'bitspire-fees', machineId: machines[0]?.id }],
    });
    expect(failure.message).toContain('StateInvalid');
  });

  test('the watch yields each change of a run until it has ended, and progress() is the last of them', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 3 });
    let held = holdAfter(bunker, 0);
    const run = await saga.start(id);
    const seen: Progress[] = [];
    for await (const { progress } of run.watch({ intervalMs: 100 })) {
      if (progress === null) continue;
      seen.push(progress);
      // It goes on when it was seen: first without a signature, then with some of them.
      const { release } = held;
      if (seen.length === 1) held = holdAfter(bunker, 3);
      if (seen.length === 1 || progress.stages.signed > 0) release();
    }
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.at(-1)).toMatchObject({ phase: 'done', planned: 6, published: 6 });
    const counts = seen.map(({ published }) => published);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(await run.progress()).toEqual(seen.at(-1));
    expect(await run.status()).toMatchObject({
      status: 'COMPLETED',
      outcome: 'complete',
      runId: run.runId,
      ...{ inWork: [], retrying: [], waiting: [] },
      closedAt: expect.any(String) as string,
    });
  });

  test('a run is found again by its operator, and watched until somebody has seen enough', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 2 });
    const held = holdAfter(bunker, 0);
    const started = await saga.start(id);
    const found = await findRepublish(saga.client, id);
    expect(found).toMatchObject({ runId: started.runId, workflowId: started.workflowId, attached: true });
    const enough = new AbortController();
    for await (const { status } of found.watch({ intervalMs: 100, signal: enough.signal })) {
      expect(status).toBe('RUNNING');
      enough.abort();
    }
    held.release();
    expect(Object.values(await found.result()).flat()).toHaveLength(4);
    expect(await fails(RunNotFound, findRepublish(saga.client, 'nobody-ever'))).toMatchObject({
      type: 'RunNotFound',
      message: expect.stringContaining('nobody-ever') as string,
      remedy: expect.stringContaining('republish start') as string,
    });
  });
});
