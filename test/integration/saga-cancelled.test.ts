import { WorkflowFailedError } from '@temporalio/client';
import { RepublishFailed } from '../../client/errors';
import { fails } from '../support/fails';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

describe('cancel', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // A few documents at a time, so that some are not begun when the run is cancelled.
    await saga.startWorker({ env: { REPUBLISH_BUNKER_CONCURRENCY: '2' } });
  });
  afterAll(() => saga.stop());

  /** What stands on the relay, also of a page that has not told yet how far it is. */
  const standing = ({ bunker }: Pick<SagaOperator, 'bunker'>): string[] =>
    (saga.relays[0]?.events() ?? []).filter(({ pubkey }) => pubkey === bunker.userPubkey).map(({ id }) => id);

  test('before the first signature: nothing is published, soon, and the audit says so', async () => {
    const { id, bunker, machines } = await saga.addOperator({ machines: 2 });
    const isOfDocument = ({ method, params }: { method: string; params: readonly string[] }): boolean =>
      method === 'nip44_encrypt' && machines.some(({ atmPubkey }) => atmPubkey === params[0]);
    bunker.setFaults((request) => (isOfDocument(request) ? { swallow: true } : undefined));
    const run = await saga.start(id);
    await until(() => bunker.requests.some(isOfDocument));

    await saga.client.workflow.getHandle(run.workflowId, run.runId).cancel();

    expect(await fails(RepublishFailed, run.result())).toMatchObject({ type: 'Cancelled' });
    expect(standing({ bunker })).toEqual([]);
    const [audit] = await saga.audits(id);
    expect(audit).toMatchObject({
      outcome: 'cancelled',
      events: { 'bitspire-cassettes': [], 'bitspire-fees': [] },
    });
    expect(audit?.failures).toHaveLength(4);
  });

  test('in the middle: documents that are signed are finished, no new one is begun, and the audit agrees with the relay', async () => {
    const { id, bunker } = await saga.addOperator({
      machines: 12,
      bunker: { answerDelayMs: 60, concurrency: 1 },
    });
    const run = await saga.start(id);
    await until(() => standing({ bunker }).length >= 3);

    await saga.client.workflow.getHandle(run.workflowId, run.runId).cancel();
    expect(await fails(RepublishFailed, run.result())).toMatchObject({ type: 'Cancelled' });

    const audits = await saga.audits(id);
    expect(audits).toHaveLength(1);
    const done = Object.values(audits[0]?.events ?? {}).flat();
    expect(done.length).toBeGreaterThanOrEqual(3);
    expect(done.length).toBeLessThan(24);
    expect(standing({ bunker }).sort()).toEqual(done.sort());
    expect(audits[0]?.failures.length).toBe(24 - done.length);
    expect(new Set(audits[0]?.failures.map(({ type }) => type))).toContain('NotAttempted');
    expect(await run.progress()).toMatchObject({ phase: 'done', cancelling: true });

    // And the next run does the rest, and only the rest.
    bunker.setFaults(undefined);
    const next = await saga.start(id);
    const events = await next.result();
    expect(Object.values(events).flat()).toHaveLength(24);
    expect((await next.progress()).unchanged).toBe(done.length);
  });

  test('terminated, the ledger still tells what was done, and the next run goes on from there', async () => {
    const { id, bunker } = await saga.addOperator({
      machines: 6,
      bunker: { answerDelayMs: 40, concurrency: 1 },
    });
    const run = await saga.start(id);
    const handle = saga.client.workflow.getHandle(run.workflowId, run.runId);
    const signed = async () => (await saga.ledger(run.runId)).filter(({ signature }) => signature !== null);
    await until(async () => (await signed()).length >= 2);
    await handle.terminate('test');
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    const finished = await signed();
    expect(finished.length).toBeGreaterThanOrEqual(2);

    const events = await (await saga.start(id)).result();
    const ids = Object.values(events).flat();
    expect(ids).toHaveLength(12);
    for (const row of finished) expect(ids).toContain(row.event?.id);
    expect(standing({ bunker }).sort()).toEqual(ids.sort());
  });
});
