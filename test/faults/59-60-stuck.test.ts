import { randomUUID } from 'node:crypto';
import { Client, type DataConverter } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { terminate } from '../../client/end';
import { RepublishFailed } from '../../client/errors';
import { startFleet } from '../../client/fleet';
import type { RepublishRun } from '../../client/run';
import { findRepublish, startRepublish } from '../../client/start';
import { SEARCH_ATTRIBUTES } from '../../contract/names';
import { searchAttributeTypes, startTemporalServer } from '../../embedded/temporal-server/start';
import { type CommandResult, republish } from '../support/command-line';
import { fails } from '../support/fails';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

/** The codec of a site that encrypts its payloads. A process without it can read none. */
const theirs: PayloadCodec = {
  encode: (payloads) =>
    Promise.resolve(
      payloads.map(({ data }) => ({
        metadata: { encoding: Buffer.from('binary/theirs') },
        data: Uint8Array.from(data ?? [], (byte) => byte ^ 0x5a),
      })),
    ),
  decode: (payloads) => Promise.resolve(payloads),
};
const dataConverter: DataConverter = { payloadCodecs: [theirs] };

const untilObstacle = async (run: RepublishRun, type: string): Promise<void> =>
  until(async () => (await run.obstacle())?.type === type, 60_000);

/** The run was cancelled by Temporal, which cannot tell it, and only `end` is left. */
function expectOnlyEndIsLeft({ code, stderr }: CommandResult, type: string, operator: string): void {
  expect(stderr).toContain(`not ended yet: ${type}: `);
  expect(stderr).toContain(`republish end ${operator}`);
  expect(code).toBe(1);
}

describe('a run with which nobody can go on', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // A run that a test holds goes on for as long as the commands take.
    await saga.startWorker({
      env: {
        REPUBLISH_BUNKER_TIMEOUT_MS: '120000',
        REPUBLISH_RELAY_TIMEOUT_MS: '20000',
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '600000',
      },
    });
  });
  afterAll(() => saga.stop());

  test('59: started through a payload codec that the worker does not know: named, cancelled, ended, audited', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const { connection, options } = saga.client;
    const client = new Client({ connection, namespace: options.namespace, dataConverter });
    const taskQueue = saga.env.REPUBLISH_TASK_QUEUE ?? '';
    // The memo that has the reason cannot be read here either.
    await startRepublish(client, id, { taskQueue, reason: 'nightly' });
    const run = await findRepublish(saga.client, id);
    await untilObstacle(run, 'RunStuck');

    const status = await republish(['status', id], saga.env);
    expect(status.stdout).toMatch(/RunStuck: its workflow task fails, attempt \d+ .*binary\/theirs/);
    expect(status.stdout).toContain(`republish end ${id}`);
    // Refused at once, and with what is in the way.
    await expect(run.pause()).rejects.toMatchObject({
      message: expect.stringMatching(/^pause needs a worker.*RunStuck.*binary\/theirs/) as string,
      remedy: expect.stringContaining('data converter') as string,
    });
    expectOnlyEndIsLeft(await republish(['cancel', id], saga.env), 'RunStuck', id);
    expect(await run.status()).toMatchObject({ cancelRequested: true, obstacle: { type: 'RunStuck' } });

    // Killed between the two steps: the same command again does what is missing.
    await terminate(saga.client, run, 'ended by ada');
    expect(await saga.audits(id)).toEqual([]);
    const reason = 'no\u0001 key \u{1f600}';
    const ended = await republish(['end', id, '--by', 'ada', '--reason', reason], saga.env);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('without an audit') as string });
    expect(ended.stdout).toContain('failure: Terminated: ended by ada');
    const [audit] = await saga.audits(id);
    expect(audit).toMatchObject({
      runId: run.runId,
      outcome: 'failed',
      failure: { type: 'Terminated' },
      interventions: [{ action: 'end', by: 'ada', reason }],
    });
    // Audit and status have one word for it.
    expect((await run.status()).outcome).toBe('failed');
    const again = await republish(['end', id], saga.env);
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nothing was changed') as string,
    });
    expect(await saga.audits(id)).toEqual([audit]);
  }, 120_000);

  test('59: a fleet that meets such a run says for whom it waits, and does its own as soon as that was ended', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const { connection, options } = saga.client;
    const client = new Client({ connection, namespace: options.namespace, dataConverter });
    const taskQueue = saga.env.REPUBLISH_TASK_QUEUE ?? '';
    const { runId } = await startRepublish(client, id, { taskQueue, reason: 'nightly' });
    const fleet = await startFleet(saga.client, { operators: [id], taskQueue });
    await until(async () => (await fleet.status()).waitsFor.length > 0, 60_000);
    expect((await fleet.status()).waitsFor).toMatchObject([{ operatorUserId: id, runId }]);
    await untilObstacle(await findRepublish(saga.client, id), 'RunStuck');
    expect((await republish(['end', id], saga.env)).code).toBe(0);
    expect(await fleet.result()).toMatchObject({ operators: { complete: 1 } });
  }, 120_000);

  test('59: ended while a worker is at it: what comes late changes nothing, the next run does what is missing', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 3 });
    let signed = 0;
    let open: () => void = () => undefined;
    const opened = new Promise<undefined>((resolve) => (open = () => resolve(undefined)));
    operator.bunker.setFaults(({ method }) => {
      if (method !== 'sign_event') return undefined;
      signed += 1;
      return signed <= 2 ? undefined : opened;
    });
    const run = await saga.start(operator.id);
    await until(() => signed > 2);
    // A run that goes on is better cancelled.
    const refused = await republish(['end', operator.id], saga.env);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ControlRefused') as string });
    const ended = await republish(['end', operator.id, '--yes', '--json'], saga.env);
    expect(ended.code).toBe(0);
    const audit = await saga.audits(operator.id);
    expect(audit).toHaveLength(1);
    const ledger = await saga.ledger(run.runId);
    const unfinished = ledger.flatMap(({ outcome, failureType }) =>
      outcome === 'failed' ? [failureType] : [],
    );
    expect(unfinished.length).toBeGreaterThanOrEqual(4);
    for (const type of unfinished) expect(['Interrupted', 'NotAttempted']).toContain(type);
    expect(ledger.every(({ outcome }) => outcome !== null)).toBe(true);
    const { type, message } = await fails(RepublishFailed, run.result());
    expect(type).toBe('Terminated');
    expect(message).toContain('republish end');

    // The worker's attempt gets its answers now, and learns at its next heartbeat that nobody waits for it.
    open();
    const { ids } = await runUnderFault(saga, operator);
    expect(ids).toHaveLength(6);
    expect(await saga.ledger(run.runId)).toEqual(ledger);
    expect((await saga.audits(operator.id)).filter(({ runId }) => runId === run.runId)).toEqual(audit);
  }, 120_000);

  test('60: on a queue that nobody polls: said at once, cancelled by Temporal; a worker that comes ends it', async () => {
    const queue = `${saga.env.REPUBLISH_TASK_QUEUE}-${randomUUID().slice(0, 8)}`;
    const env = { ...saga.env, REPUBLISH_TASK_QUEUE: queue };
    const { id } = await saga.addOperator({ machines: 1 });
    const { code, stderr } = await republish(['start', id, '--no-wait'], env);
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('NoWorker') as string,
    });
    expect(stderr).toContain(`nobody polls task queue ${queue}`);
    const doctor = await republish(['doctor', '--operator', id, '--json'], env);
    expect(JSON.parse(doctor.stdout)).toContainEqual(
      expect.objectContaining({ area: 'run', subject: id, status: 'fail' }),
    );

    const run = await findRepublish(saga.client, id);
    expect(await run.cancel()).toEqual({
      takenBy: 'Temporal',
      obstacle: { type: 'NoWorker', message: `nobody polls task queue ${queue}` },
    });

    // A worker of a build that nobody has made the current one gets no task.
    const deploymentName = `republish-${randomUUID().slice(0, 8)}`;
    const build = { REPUBLISH_DEPLOYMENT: deploymentName, REPUBLISH_BUILD_ID: '1.0.0' };
    await saga.startWorker({ env: { ...build, REPUBLISH_TASK_QUEUE: queue } });
    await untilObstacle(run, 'NoWorkerOfRelease');
    expect((await run.obstacle())?.message).toContain(`${deploymentName}:1.0.0`);

    await until(
      () =>
        saga.client.workflowService
          .setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName, buildId: '1.0.0' })
          .then(
            () => true,
            () => false,
          ),
      30_000,
    );
    expect(await fails(RepublishFailed, run.result())).toMatchObject({ type: 'Cancelled' });
    expect(await saga.audits(id)).toMatchObject([{ runId: run.runId, outcome: 'cancelled' }]);
    expect((await run.status()).obstacle).toBeNull();
  }, 120_000);

  test('60: a fleet on a queue that nobody polls: named, cancelled by Temporal, ended with its audit', async () => {
    const taskQueue = `${saga.env.REPUBLISH_TASK_QUEUE}-${randomUUID().slice(0, 8)}`;
    const env = { ...saga.env, REPUBLISH_TASK_QUEUE: taskQueue };
    const fleet = await startFleet(saga.client, { operators: ['one', 'two'], taskQueue });
    expect(await fleet.status()).toMatchObject({ progress: null, obstacle: { type: 'NoWorker' } });
    expect(await fleet.cancel()).toMatchObject({ takenBy: 'Temporal', obstacle: { type: 'NoWorker' } });
    for (const isNew of [true, false]) {
      const { code, stdout, stderr } = await republish(['fleet', 'end', '--by', 'ada', '--json'], env);
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.stringContaining(isNew ? 'ended: fleet' : 'nothing was changed') as string,
      });
      expect(JSON.parse(stdout)).toMatchObject([
        {
          runId: fleet.runId,
          outcome: 'failed',
          failure: { type: 'Terminated' },
          interventions: [{ by: 'ada' }],
        },
      ]);
    }
  }, 60_000);
});

test('59: a search attribute became one of type Int: named, ended with every document by name', async () => {
  const temporal = await startTemporalServer({
    executable: testServers().temporalCli,
    headless: true,
    searchAttributes: searchAttributeTypes(),
  });
  const saga = await startSaga({ temporalAddress: temporal.address });
  try {
    await saga.startWorker();
    const { namespace } = saga.client.options;
    const { operatorService } = saga.client.connection;
    // As after a namespace was set up anew beside workers that go on.
    const searchAttributes = [SEARCH_ATTRIBUTES.operator];
    await operatorService.removeSearchAttributes({ namespace, searchAttributes });
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: { [SEARCH_ATTRIBUTES.operator]: 3 },
    });

    const { id } = await saga.addOperator({ machines: 2 });
    const run = await saga.start(id);
    await untilObstacle(run, 'RunStuck');
    expect((await run.obstacle())?.message).toMatch(/search attribute/);
    expectOnlyEndIsLeft(await republish(['cancel', id], saga.env), 'RunStuck', id);
    expect((await republish(['end', id, '--by', 'ada'], saga.env)).code).toBe(0);
    const [audit] = await saga.audits(id);
    expect(audit).toMatchObject({ outcome: 'failed', failure: { type: 'Terminated' } });
    expect(audit?.failures.map(({ type }) => type)).toEqual(Array(4).fill('NotAttempted'));
  } finally {
    await saga.stop();
    await temporal.stop();
  }
}, 120_000);
