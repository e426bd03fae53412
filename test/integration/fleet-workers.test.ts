import { addOperators, startFleetOf, startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import type { Saga } from '../support/saga';
import { until } from '../support/until';
import { startWorkerChild } from '../support/worker-child';

const LONG_MS = 60_000;

describe('operators beside each other', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  test('one whose bunker does not answer holds up nobody: the others end while all of its documents wait', async () => {
    const gate = new Gate();
    gate.close();
    const big = await saga.addOperator({ machines: 40, bunker: { onRequest: gate.onRequest } });
    const small = await addOperators(saga, 3);
    const fleet = await startFleetOf(saga, { operators: [big, ...small].map(({ id }) => id) });
    await until(async () => (await fleet.progress()).operators.complete === small.length, LONG_MS);
    const run = await saga.start(big.id);
    expect(run.attached).toBe(true);
    expect(await run.progress()).toMatchObject({ published: 0, failed: 0 });
    gate.open();
    expect((await fleet.result()).operators).toMatchObject({ complete: 4, failed: 0, incomplete: 0 });
  }, 180_000);

  test('every task of a run carries the key by which Temporal lets operators take turns', async () => {
    const [operator] = await addOperators(saga, 1);
    const id = operator?.id ?? '';
    await (await startFleetOf(saga, { operators: [id] })).result();
    await (await saga.start(id, { force: true, resetCounts: true })).result();
    const described = await saga.client.workflow.getHandle(`republish-operator-configs/${id}`).describe();
    expect(described.priority).toMatchObject({ fairnessKey: id });
    const keys: (string | null | undefined)[] = [];
    for (const [audit] of [await saga.audits(id)]) {
      const handle = saga.client.workflow.getHandle(`republish-operator-configs/${id}`, audit?.runId);
      const { events } = await handle.fetchHistory();
      keys.push(
        ...(events ?? []).map(
          (event) => event.workflowExecutionStartedEventAttributes?.priority?.fairnessKey,
        ),
      );
    }
    expect(keys.filter((key) => key != null)).toEqual([id]);
  }, 120_000);
});

describe('several workers on one task queue', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
  });
  afterAll(() => saga.stop());

  test('a bunker has at most three times the configured requests in flight, however many workers there are', async () => {
    const CONCURRENCY = 3;
    let inFlight = 0;
    let most = 0;
    let arrived = 0;
    const operator = await saga.addOperator({
      machines: 12,
      bunker: {
        onRequest: async ({ method }) => {
          // Each worker also asks once for the bunker's relays, beside the requests that matter.
          if (method !== 'nip44_encrypt' && method !== 'sign_event') return;
          arrived += 1;
          inFlight += 1;
          most = Math.max(most, inFlight);
          await new Promise((resolve) => setTimeout(resolve, 100));
          inFlight -= 1;
        },
      },
    });
    const env = { REPUBLISH_BUNKER_CONCURRENCY: String(CONCURRENCY), REPUBLISH_DOCUMENTS_PER_PAGE: '5' };
    const first = await saga.startWorker({ env });
    await (await saga.start(operator.id)).result();
    expect(most).toBeLessThanOrEqual(CONCURRENCY);
    await first.stop();

    most = 0;
    arrived = 0;
    for (let worker = 0; worker < 3; worker += 1) await saga.startWorker({ env });
    await (await saga.start(operator.id, { force: true, resetCounts: true })).result();
    expect(arrived).toBeGreaterThanOrEqual(48);
    // So many pages of a run are in work at once, each in one worker.
    expect(most).toBeLessThanOrEqual(3 * CONCURRENCY);
  }, 180_000);
});

describe('a worker that dies in the middle of a fleet', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
  });
  afterAll(() => saga.stop());

  test('is followed by another: every operator ends complete, with one audit and one event for each document', async () => {
    const operators = await addOperators(saga, 4, { machines: 2 });
    const worker = await startWorkerChild(saga, { failpoint: 'after-sign:3' });
    const fleet = await startFleetOf(saga, {
      operators: operators.map(({ id }) => id),
      operatorsAtOnce: 2,
    });
    await worker.exited;
    await startWorkerChild(saga);
    expect((await fleet.result()).operators).toMatchObject({ complete: 4, failed: 0, incomplete: 0 });
    for (const { id, bunker } of operators) {
      const [audit, ...others] = await saga.audits(id);
      expect(others).toEqual([]);
      expect(Object.values(audit?.events ?? {}).flat()).toHaveLength(4);
      const published = saga.relays[0]
        ?.events()
        .filter(({ pubkey, kind }) => pubkey === bunker.userPubkey && kind === 30078);
      expect(published?.map(({ id: eventId }) => eventId).sort()).toEqual(
        Object.values(audit?.events ?? {})
          .flat()
          .sort(),
      );
    }
  }, 180_000);
});
