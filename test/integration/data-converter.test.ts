import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { RepublishFailed, startRepublish } from '../../client';
import { connect } from '../../client/connect';
import { successorOf } from '../../client/chain';
import type { RunStatus } from '../../client/run-status';
import { loadDataConverter } from '../../configuration/data-converter';
import { loadTemporalConfiguration } from '../../configuration/temporal';
import { startWorkerProcess } from '../../embedded/worker-process';
import { republish } from '../support/command-line';
import { fails } from '../support/fails';
import { type ExampleProject, exampleProject } from '../support/example';
import { PATIENT } from '../support/patience';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

jest.setTimeout(180_000);

let saga: Saga;
let project: ExampleProject;

beforeAll(async () => {
  saga = await startSaga();
  Object.assign(saga.env, PATIENT);
  project = exampleProject();
});
afterAll(async () => {
  await saga.stop();
  project.remove();
});

interface Payload {
  metadata?: { encoding?: Uint8Array };
  data?: Uint8Array;
}

/**
 * All payloads of an answer of Temporal, but the values of search attributes, by which a server has to find.
 */
function payloadsIn(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if (Array.isArray(value)) return value.flatMap(payloadsIn);
  if ('metadata' in value && 'data' in value) return [value as Payload];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'searchAttributes' ? [] : payloadsIn(inner),
  );
}

const encodingOf = ({ metadata }: Payload): string => Buffer.from(metadata?.encoding ?? '').toString();

/** Everything that is no payload. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner instanceof Uint8Array ||
    (typeof inner === 'object' && inner !== null && 'data' in inner && 'metadata' in inner)
      ? undefined
      : inner,
  );
}

test('with a codec in worker, client and command line, Temporal keeps nothing of a run in clear, and all commands work', async () => {
  const env = {
    ...saga.env,
    REPUBLISH_CONFIG: project.copy('payload-codec'),
    CODEC_KEY: randomBytes(32).toString('hex'),
  };
  const worker = await startWorkerProcess(env);
  saga.onStop(() => worker.stop('SIGTERM', 35_000));
  // The environment of a test is a copy, which a module that Node itself loads does not see.
  const ours = path.join(path.dirname(env.REPUBLISH_CONFIG), 'ours.mjs');
  writeFileSync(
    ours,
    `process.env.CODEC_KEY = '${env.CODEC_KEY}';
     export const { payloadCodecs } = await import('./aes-codec.mjs');`,
  );
  const { client, close } = await connect({
    temporal: loadTemporalConfiguration(env),
    dataConverter: await loadDataConverter(ours),
  });
  saga.onStop(close);
  const operator = await saga.addOperator({ machines: 2 });
  operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));

  const reason = 'moved to a bunker';
  const taskQueue = saga.env.REPUBLISH_TASK_QUEUE ?? '';
  const run = await startRepublish(client, operator.id, { taskQueue, reason, onFailure: 'hold' });
  // Attached to, since the request in its history can be read.
  const started = await republish(['start', operator.id, '--hold', '--no-wait', '--json'], env);
  expect(JSON.parse(started.stdout)).toMatchObject({ runId: run.runId, attached: true });
  await until(async () => (await run.progress()).phase === 'holding', 60_000);
  const status = await republish(['status', operator.id, '--json'], env);
  const { progress } = JSON.parse(status.stdout) as RunStatus;
  expect(progress?.failures.map(({ type }) => type)).toContain('SignerRefused');
  // Without the codec nothing is read of it; it is not taken for one that nobody works on, which could be
  // ended.
  const blind = await republish(['status', operator.id], saga.env);
  expect(blind.stdout).toContain('REPUBLISH_DATA_CONVERTER');
  expect(blind.stdout).not.toContain('WorkerSilent');
  const refused = await republish(['end', operator.id], saga.env);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ControlRefused') as string });
  operator.bunker.setFaults(() => undefined);
  expect(await republish(['retry', operator.id, '--by', 'ada lovelace'], env)).toMatchObject({ code: 0 });
  const watched = await republish(['watch', operator.id], env);
  expect(watched).toMatchObject({ code: 0, stdout: expect.stringContaining('audit head: ') as string });

  operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
  const second = await startRepublish(client, operator.id, { taskQueue, force: true, onFailure: 'hold' });
  await until(async () => (await second.progress()).phase === 'holding', 60_000);
  expect(await republish(['cancel', operator.id], env)).toMatchObject({ code: 0 });
  await expect(second.result()).rejects.toMatchObject({ type: 'Cancelled' });

  // A failure of a step and of the run itself: their messages stand in history beside the payloads.
  const expectedPubkey = operator.machines[0]?.atmPubkey ?? '';
  const third = await startRepublish(client, operator.id, { taskQueue, expectedPubkey });
  const failure = await fails(RepublishFailed, third.result());
  expect(failure).toMatchObject({ type: 'SignerPubkeyMismatch' });
  const [words = ''] = failure.message.split('. ');
  expect(words).toContain(expectedPubkey);

  // Why somebody ended a run that nobody works on is an argument of Temporal's own, which no codec sees.
  const alone = await saga.addOperator({ machines: 1 });
  const fourth = await startRepublish(client, alone.id, { taskQueue: `${taskQueue}-unpolled`, reason });
  const ended = await republish(['end', alone.id, '--by', 'ada lovelace', '--reason', reason], env);
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('ada lovelace') as string });

  for (const { workflowId, runId } of [run, second, third, fourth]) {
    expect(await successorOf(client, workflowId, runId)).toBeUndefined();
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
    for (const answer of [history, raw]) {
      const payloads = payloadsIn(answer);
      expect(payloads.length).toBeGreaterThan(0);
      expect(new Set(payloads.map(encodingOf))).toEqual(new Set(['binary/encrypted']));
      const clear = textOf(answer);
      for (const secret of [
        reason,
        'ada lovelace',
        'denied',
        words,
        expectedPubkey,
        ...operator.machines.map(({ id }) => id),
      ])
        expect(clear).not.toContain(secret);
    }
  }

  // A command without the codec says so, and a module that is missing is named.
  const away = await republish(['status', operator.id], { ...env, REPUBLISH_DATA_CONVERTER: './away.mjs' });
  expect(away).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('"./away.mjs" is no file at') as string,
  });
});
