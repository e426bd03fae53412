import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WORKFLOW_TYPE } from '../../contract/names';
import type { RepublishRun } from '../../client/run';
import { searchAttributeTypes, startTemporalServer } from '../../embedded/temporal-server/start';
import { addOperators, breakThree, startFleetOf, startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import { type Saga, startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

/**
 * Records histories of today's workflow for the replay tests: `npm run test:replay:record`. Only adds files: a history
 * that is there is the past, and a workflow that cannot replay it has to be mended with `patched()`, not with a new file.
 * After such a mend HISTORY_SUFFIX=-2 records the new branch beside the old one.
 */
const DIRECTORY = path.join(__dirname, 'histories');

let saga: Saga;
beforeAll(async () => {
  saga = await startSaga();
  await saga.startWorker();
  mkdirSync(DIRECTORY, { recursive: true });
});
afterAll(() => saga.stop());

/** Keeps what `temporal workflow show -o json` prints, less what names the host. */
function keep(
  name: string,
  { workflowId, runId }: Pick<RepublishRun, 'workflowId' | 'runId'>,
  { temporalAddress } = testServers(),
): void {
  const { temporalCli } = testServers();
  const printed = execFileSync(
    temporalCli,
    ['workflow', 'show', '--address', temporalAddress, '-w', workflowId, '-r', runId, '-o', 'json'],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const scrubbed = JSON.stringify(
    JSON.parse(printed),
    (key, value: unknown) => {
      if (key === 'stackTrace') return '';
      // Sticky task queues are named after the worker's identity.
      const namesTheHost = key === 'identity' || (typeof value === 'string' && /^\d+@/.test(value));
      return namesTheHost ? 'recorded' : value;
    },
    1,
  );
  const file = path.join(DIRECTORY, `${name}${process.env.HISTORY_SUFFIX ?? ''}.json`);
  try {
    writeFileSync(file, `${scrubbed}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    console.warn(`${name}.json is there and stays as it is`);
  }
}

const ended = (run: RepublishRun): Promise<unknown> => run.result().catch(() => undefined);

test('complete, unchanged and forced', async () => {
  const { id } = await saga.addOperator({ machines: 3 });
  const first = await saga.start(id, { reason: 'recorded' });
  await ended(first);
  keep('complete', first);
  const second = await saga.start(id);
  await ended(second);
  keep('unchanged', second);
  const third = await saga.start(id, { force: true, documentTypes: ['bitspire-fees'] });
  await ended(third);
  keep('forced', third);
});

test('no machines', async () => {
  const { id } = await saga.addOperator({ machines: 0 });
  const run = await saga.start(id);
  await ended(run);
  keep('no-machines', run);
});

test('partial, and the run that does the rest', async () => {
  const { id, machines, bunker } = await saga.addOperator({ machines: 3 });
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
    [machines[0]?.id],
  );
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && String(params[0]).includes(machines[1]?.atmPubkey ?? '')
      ? { error: 'denied' }
      : undefined,
  );
  const partial = await saga.start(id);
  await ended(partial);
  keep('partial', partial);
  bunker.setFaults(undefined);
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.02 WHERE id = $1',
    [machines[0]?.id],
  );
  const rest = await saga.start(id);
  await ended(rest);
  keep('partial-then-rest', rest);
});

test('failed before the first document', async () => {
  const unknown = await saga.start('nobody');
  await ended(unknown);
  keep('failed-operator-not-found', unknown);
  const { id, bunker } = await saga.addOperator({ machines: 1 });
  bunker.setFaults(({ method }) =>
    method === 'get_public_key' ? { reportPubkey: 'e'.repeat(64) } : undefined,
  );
  const mismatch = await saga.start(id);
  await ended(mismatch);
  keep('failed-pubkey-mismatch', mismatch);
});

test('an input that is refused', async () => {
  const handle = await saga.client.workflow.start(WORKFLOW_TYPE, {
    workflowId: 'republish-operator-configs/refused',
    taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '',
    args: [{}],
  });
  await handle.result().catch(() => undefined);
  keep('failed-invalid-input', { workflowId: handle.workflowId, runId: handle.firstExecutionRunId });
});

test('retried: a bunker that swallows some requests, and one document for good', async () => {
  const { id, machines, bunker } = await saga.addOperator({ machines: 3 });
  let swallowed = 0;
  bunker.setFaults(({ method, params }) => {
    if (method !== 'sign_event') return undefined;
    if (String(params[0]).includes(`bitspire-fees:${machines[0]?.atmPubkey}`)) return { swallow: true };
    swallowed += 1;
    return swallowed <= 2 ? { swallow: true } : undefined;
  });
  const run = await saga.start(id);
  await ended(run);
  keep('retried', run);
});

test('several pages of machines', async () => {
  const paged = await startSaga();
  await paged.startWorker({ env: { REPUBLISH_MACHINES_PER_PAGE: '2' } });
  const { id } = await paged.addOperator({ machines: 5 });
  const run = await paged.start(id);
  await ended(run);
  keep('paged', run);
  await paged.stop();
});

test('several executions: each of them, one that goes on, and one that holds what earlier ones have failed', async () => {
  const short = await startSaga();
  await short.startWorker({
    env: { REPUBLISH_DOCUMENTS_PER_EXECUTION: '6', REPUBLISH_MACHINES_PER_PAGE: '3' },
  });
  const { id, machines, bunker } = await short.addOperator({
    machines: 8,
    bunker: { answerDelayMs: 60, concurrency: 2 },
  });
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && String(params[0]).includes(machines[0]?.atmPubkey ?? '')
      ? { error: 'denied' }
      : undefined,
  );
  const run = await short.start(id, { onFailure: 'hold' });
  const { workflowId } = run;
  await until(async () => (await run.progress()).published >= 8);
  const current = await run.currentRunId();
  // An execution that has only just begun has nothing to replay, and a replay that waits for its first task does not end.
  const execution = saga.client.workflow.getHandle(workflowId, current);
  await until(async () => ((await execution.describe()).raw.pendingActivities ?? []).length > 0);
  keep('continued-mid-flight', { workflowId, runId: current });
  await until(async () => (await run.progress()).phase === 'holding');
  keep('continued-holding', { workflowId, runId: await run.currentRunId() });
  bunker.setFaults(undefined);
  await run.retry();
  await ended(run);
  keep('continued-first', run);
  keep('continued-middle', { workflowId, runId: current });
  keep('continued-last', { workflowId, runId: await run.currentRunId() });
  await short.stop();
});

test('cancelled in the middle, and a run that still goes on', async () => {
  const { id } = await saga.addOperator({ machines: 12, bunker: { answerDelayMs: 60, concurrency: 1 } });
  const run = await saga.start(id);
  await until(async () => (await run.progress()).published >= 3);
  keep('mid-flight', run);
  await saga.client.workflow.getHandle(run.workflowId, run.runId).cancel();
  await ended(run);
  keep('cancelled', run);
});

test('held: failures, a retry, a skip', async () => {
  const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && String(params[0]).includes(machines[0]?.atmPubkey ?? '')
      ? { error: 'denied' }
      : undefined,
  );
  const run = await saga.start(id, { onFailure: 'hold' });
  await until(async () => (await run.progress()).phase === 'holding');
  await run.retry();
  await until(async () => {
    const { phase, failed } = await run.progress();
    return phase === 'holding' && failed === 2;
  });
  keep('holding', run);
  await run.skip({ documentType: 'bitspire-fees' });
  bunker.setFaults(undefined);
  await run.retry();
  await ended(run);
  keep('held-retried-skipped', run);
});

test('paused, resumed, a document skipped in work, cancelled by update', async () => {
  const { id, machines, bunker } = await saga.addOperator({
    machines: 12,
    bunker: { answerDelayMs: 60, concurrency: 1 },
  });
  const stuck = `bitspire-fees:${machines[0]?.atmPubkey}`;
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && String(params[0]).includes(stuck) ? { swallow: true } : undefined,
  );
  const run = await saga.start(id);
  await until(async () => (await run.progress()).published >= 2);
  await run.pause({ by: 'recorded' });
  await run.skip({ documentType: 'bitspire-fees', machineId: machines[0]?.id ?? '' });
  keep('paused', run);
  await run.resume();
  await until(async () => (await run.progress()).published >= 6);
  await run.cancel({ reason: 'recorded' });
  await ended(run);
  keep('cancelled-by-update', run);
});

test('a person approves', async () => {
  const { id, bunker } = await saga.addOperator({ machines: 2 });
  let asked = 0;
  bunker.setFaults(({ method }) => {
    if (method !== 'nip44_encrypt') return undefined;
    asked += 1;
    return asked > 1 ? undefined : { authUrl: 'https://bunker.example.com/approve', afterMs: 1_000 };
  });
  const run = await saga.start(id);
  await ended(run);
  keep('approved', run);
});

test('fleets: some operators failed; paused in the middle, cancelled; one waits for the run of somebody else', async () => {
  const patient = await startPatientSaga();
  await patient.startWorker();
  const operators = await addOperators(patient, 4);
  const ids = operators.map(({ id }) => id);
  await breakThree(patient, operators);
  const failed = await startFleetOf(patient, { operators: ids, reason: 'recorded', operatorsAtOnce: 2 });
  await failed.result();
  keep('fleet-some-failed', failed);

  const gate = new Gate();
  gate.close();
  const held = await addOperators(patient, 3, { machines: 1, bunker: { onRequest: gate.onRequest } });
  const [first = '', second = '', third = ''] = held.map(({ id }) => id);
  await patient.start(first, { documentTypes: ['bitspire-fees'] });
  const all = { operators: [first, second, third], operatorsAtOnce: 2 };
  const paused = await startFleetOf(patient, all);
  await until(async () => (await paused.progress()).running === 2);
  await paused.pause({ by: 'recorded' });
  keep('fleet-paused-mid-flight', paused);
  await paused.resume();
  gate.open();
  await paused.result();
  keep('fleet-paused-resumed', paused);

  gate.close();
  const cancelled = await startFleetOf(patient, { ...all, force: true });
  await until(async () => (await cancelled.progress()).running === 2);
  await cancelled.cancel({ reason: 'recorded' });
  gate.open();
  await cancelled.result().catch(() => undefined);
  keep('fleet-cancelled', cancelled);
  await patient.stop();
}, 300_000);

test('a fleet that continues as new, with a run that goes on meanwhile', async () => {
  const server = await startTemporalServer({
    executable: testServers().temporalCli,
    headless: true,
    searchAttributes: searchAttributeTypes(),
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '60' },
  });
  const temporalAddress = server.address;
  const other = await startPatientSaga({ temporalAddress });
  other.onStop(() => server.stop());
  await other.startWorker();
  const gate = new Gate();
  gate.close();
  const held = await other.addOperator({ machines: 1, bunker: { onRequest: gate.onRequest } });
  const ids = [held, ...(await addOperators(other, 6))].map(({ id }) => id);
  const fleet = await startFleetOf(other, { operators: ids, operatorsAtOnce: 3 });
  await until(async () => (await fleet.progress()).operators.complete === ids.length - 1, 60_000);
  const { workflowId } = fleet;
  const { runId: last } = await other.client.workflow.getHandle(workflowId).describe();
  const there = { ...testServers(), temporalAddress };
  keep('fleet-continued-first', fleet, there);
  keep('fleet-continued-mid-flight', { workflowId, runId: last }, there);
  gate.open();
  await fleet.result();
  keep('fleet-continued-last', { workflowId, runId: last }, there);
  await other.stop();
}, 300_000);
