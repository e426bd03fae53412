import { WorkflowNotFoundError } from '@temporalio/client';
import { followRun } from '../../activities/fleet/follow-run';
import { RepublishFailed } from '../../client/errors';
import { fails } from '../support/fails';
import { republish } from '../support/command-line';
import { holdAfter } from '../support/gate';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

/** Small enough for a dozen machines to need several executions, each with several pages. */
const SHORT_EXECUTIONS = {
  REPUBLISH_PAGES_PER_EXECUTION: '2',
  REPUBLISH_DOCUMENTS_PER_PAGE: '3',
  // Nothing is given up because it takes long.
  REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
};

let saga: Saga;

beforeAll(async () => {
  saga = await startSaga();
  await saga.startWorker({ env: SHORT_EXECUTIONS });
});
afterAll(() => saga.stop());

/** Several executions take a while where the machine is busy. */
const soon = (holds: () => Promise<boolean>): Promise<void> => until(holds, 90_000);
jest.setTimeout(240_000);

/** The executions of a run, in their order. */
async function executions({ workflowId, runId }: { workflowId: string; runId: string }): Promise<string[]> {
  const runs: string[] = [];
  for (let next: string | undefined = runId; next !== undefined;) {
    runs.push(next);
    const history = await saga.client.workflow.getHandle(workflowId, next).fetchHistory();
    next =
      history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return runs;
}

/** The bunker says no to every signature for some machines, until it is told otherwise. */
function deny(bunker: SagaOperator['bunker'], atmPubkeys: string[]): void {
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && atmPubkeys.some((key) => String(params[0]).includes(key))
      ? { error: 'denied' }
      : undefined,
  );
}

const pubkeys = ({ machines }: SagaOperator, ...indexes: number[]): string[] =>
  indexes.map((index) => machines[index]?.atmPubkey ?? '');

test('a run of several executions is one run: one result, one audit, one id', async () => {
  const operator = await saga.addOperator({ machines: 12 });
  const run = await saga.start(operator.id, { reason: 'many machines' });
  const events = await run.result();
  expect(Object.values(events).map((ids) => ids.length)).toEqual([12, 12]);
  expect((await executions(run)).length).toBeGreaterThanOrEqual(4);

  const audits = await saga.audits(operator.id);
  expect(audits).toMatchObject([{ runId: run.runId, outcome: 'complete', events, reason: 'many machines' }]);
  expect(await run.progress()).toMatchObject({ phase: 'done', planned: 24, published: 24, open: 0 });
  // Each document once: one encryption and one signature.
  const asked = operator.bunker.requests.filter(({ method }) => method === 'sign_event');
  expect(asked).toHaveLength(24);
  // In each execution it is found by what the first one knew.
  const last = await saga.client.workflow.getHandle(run.workflowId, await run.currentRunId()).describe();
  expect(last.memo).toEqual({ reason: 'many machines' });
  const { stdout } = await republish(['status', operator.id, '--json'], saga.env);
  expect(JSON.parse(stdout)).toMatchObject({
    runId: run.runId,
    status: 'COMPLETED',
    progress: { planned: 24 },
  });
  // And a run after it, on another chain, is not mistaken for it.
  const second = await saga.start(operator.id, { documentTypes: ['bitspire-fees'] });
  await second.result();
  expect(await run.progress()).toMatchObject({ published: 24 });
  expect(await second.progress()).toMatchObject({ unchanged: 12, published: 0 });
});

test('a fleet follows a run whose first execution Temporal has deleted', async () => {
  const operator = await saga.addOperator({ machines: 12 });
  const signing = holdAfter(operator.bunker, 12);
  const run = await saga.start(operator.id);
  await soon(async () => signing.isHeld());
  const { workflowId, runId } = run;
  const { namespace } = saga.client.options;
  const workflowExecution = { workflowId, runId };
  await saga.client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
  const isDeleted = (error: unknown): boolean => error instanceof WorkflowNotFoundError;
  const first = saga.client.workflow.getHandle(workflowId, runId);
  await soon(() => first.describe().then(() => false, isDeleted));

  const { signal } = new AbortController();
  const followed = followRun(
    saga.client,
    { operatorUserId: operator.id, runId, request: { operatorUserId: operator.id } },
    { signal, show: () => undefined },
  );
  signing.release();
  expect(await followed).toEqual({
    same: true,
    end: { operatorUserId: operator.id, runId, outcome: 'complete' },
  });
});

test('all bad rows are named before the first signature, those of the last page too', async () => {
  const operator = await saga.addOperator({ machines: 10 });
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = ANY ($1)',
    [[operator.machines[0]?.id, operator.machines[9]?.id]],
  );
  const unsigned = holdAfter(operator.bunker, 0);
  const run = await saga.start(operator.id);
  await soon(async () => unsigned.isHeld());
  expect((await run.progress()).failures.map(({ machineId }) => machineId)).toEqual([
    operator.machines[0]?.id,
    operator.machines[9]?.id,
  ]);
  unsigned.release();
  const error = await fails(RepublishFailed, run.result());
  expect(error).toMatchObject({ type: 'RepublishIncomplete', failed: 2 });
  expect(Object.values(error.published).flat()).toHaveLength(18);
});

test('failures of earlier executions are held, tried again and given up in a later one', async () => {
  const operator = await saga.addOperator({ machines: 12 });
  deny(operator.bunker, pubkeys(operator, 0, 5, 11));
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
    [operator.machines[1]?.id],
  );
  const run = await saga.start(operator.id, { onFailure: 'hold' });
  const holds = (failed: number) => async (): Promise<boolean> => {
    const progress = await run.progress();
    return progress.phase === 'holding' && progress.failed === failed;
  };
  await soon(holds(7));
  const held = await run.progress();
  expect(held).toMatchObject({ planned: 24, published: 17, failed: 7, open: 0 });
  expect(new Set(held.failures.map(({ type, machineId }) => `${type} ${machineId}`)).size).toBe(4);
  expect((await executions(run)).length).toBeGreaterThanOrEqual(4);

  // Nothing is mended: all fail again, in whichever execution.
  expect(await run.retry()).toBe(6);
  await soon(holds(7));

  deny(operator.bunker, pubkeys(operator, 0));
  expect(await run.retry({ machineId: operator.machines[5]?.id ?? '' })).toBe(2);
  await soon(holds(5));
  expect(await run.skip({ documentType: 'bitspire-fees', machineId: operator.machines[0]?.id ?? '' })).toBe(
    1,
  );
  await soon(holds(4));

  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.02 WHERE id = $1',
    [operator.machines[1]?.id],
  );
  operator.bunker.setFaults(undefined);
  expect(await run.retry({ by: 'ada' })).toBe(4);
  const events = await run.result();
  expect(Object.values(events).map((ids) => ids.length)).toEqual([12, 11]);
  const [audit] = await saga.audits(operator.id);
  expect(audit).toMatchObject({
    runId: run.runId,
    outcome: 'complete',
    failures: [],
    skipped: [{ documentType: 'bitspire-fees', machineId: operator.machines[0]?.id }],
  });
  expect(audit?.interventions.map(({ action }) => action)).toEqual(['retry', 'retry', 'skip', 'retry']);
  expect(await run.progress()).toMatchObject({ planned: 23, published: 23, skipped: 1, failed: 0 });
});

test('documents that are put back or given up while others wait are neither lost nor done twice', async () => {
  const operator = await saga.addOperator({ machines: 14 });
  // No page is refused as a whole, which would end the run; the last one waits for its answers, so that the
  // run cannot end before it is told what to do.
  const [denied, unheard] = [pubkeys(operator, 0, 4, 8), pubkeys(operator, 12, 13)];
  let isDenied = true;
  operator.bunker.setFaults(({ method, params }) => {
    if (method !== 'sign_event') return undefined;
    const isOf = (keys: string[]): boolean => keys.some((key) => String(params[0]).includes(key));
    return isDenied && isOf(denied) ? { error: 'denied' } : isOf(unheard) ? { swallow: true } : undefined;
  });
  const run = await saga.start(operator.id);
  await soon(async () => (await run.progress()).failed === 6);
  isDenied = false;
  const given = operator.machines[13]?.id ?? '';
  const [again, skipped] = await Promise.all([run.retry(), run.skip({ machineId: given })]);
  expect({ again, skipped }).toEqual({ again: 6, skipped: 2 });
  operator.bunker.setFaults(undefined);
  const events = await run.result();
  expect(Object.values(events).map((ids) => ids.length)).toEqual([13, 13]);
  expect(await run.progress()).toMatchObject({ planned: 26, published: 26, failed: 0, skipped: 2 });
});

test('pause, resume and cancel reach the execution that goes on', async () => {
  const operator = await saga.addOperator({ machines: 18 });
  const untilPaused = holdAfter(operator.bunker, 12);
  const run = await saga.start(operator.id);
  await soon(async () => (await run.progress()).published >= 8);
  await run.pause({ by: 'ada' });
  const attached = await saga.start(operator.id);
  expect(attached).toMatchObject({ attached: true, runId: run.runId });
  await soon(async () => (await attached.status()).inWork.length === 0);
  expect(await attached.progress()).toMatchObject({ paused: { by: 'ada' } });
  untilPaused.release();
  const untilCancelled = holdAfter(operator.bunker, 12);
  await attached.resume({ by: 'grace' });
  await soon(async () => (await run.progress()).published >= 16);
  await run.cancel({ reason: 'enough' });
  untilCancelled.release();
  expect(await fails(RepublishFailed, attached.result())).toMatchObject({ type: 'Cancelled' });
  const [audit] = await saga.audits(operator.id);
  expect(audit).toMatchObject({ runId: run.runId, outcome: 'cancelled' });
  expect(audit?.interventions.map(({ action, by }) => [action, by])).toEqual([
    ['pause', 'ada'],
    ['resume', 'grace'],
    ['cancel', undefined],
  ]);
  const { published, failed, planned } = await run.progress();
  expect(published + failed).toBe(planned);
  // The next run does only what is missing; what the bunker was signing at the moment of the cancellation it
  // signs once more.
  expect(Object.values(await (await saga.start(operator.id)).result()).flat()).toHaveLength(36);
  const signed = operator.bunker.requests.filter(({ method }) => method === 'sign_event');
  expect(signed.length).toBeLessThanOrEqual(36 + 8);
});

test('a run that loses its worker between executions goes on where it was', async () => {
  const other = await startSaga();
  const first = await other.startWorker({ env: SHORT_EXECUTIONS });
  const operator = await other.addOperator({ machines: 12, bunker: { answerDelayMs: 30, concurrency: 2 } });
  const run = await other.start(operator.id);
  await soon(async () => (await run.progress()).published >= 6);
  await first.stop();
  await other.startWorker({ env: SHORT_EXECUTIONS });
  expect(Object.values(await run.result()).flat()).toHaveLength(24);
  expect(await other.audits(operator.id)).toMatchObject([{ runId: run.runId, outcome: 'complete' }]);
  await other.stop();
});
