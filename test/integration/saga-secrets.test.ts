import { escaped, placesOf } from '../support/canaries';
import { plantCanaries } from '../support/fault-run';
import { STATE_CANARIES } from '../support/invariants';
import { PATIENT } from '../support/patience';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

/**
 * Canaries stand where secrets and state stand: in the bunker URI, the keys, the database URL, the state.
 * Whatever a run leaves behind is decoded and searched for them.
 */
describe('a run leaves no secret and no state behind', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker({ env: PATIENT });
  });
  afterAll(() => saga.stop());

  test('not in history, ledger, audit or logs, when all goes well and when it does not', async () => {
    const secretKey = saga.env.REPUBLISH_SECRETS_KEY ?? '';
    const password = new URL(saga.databaseUrl).password;
    const secret = 'canary-pairing-secret-0451';
    const { id, machines, bunker } = await saga.addOperator({ machines: 3, bunker: { secret } });
    await plantCanaries(
      saga,
      machines.map((machine) => machine.id),
    );
    // One document fails in a way that repeats the state; one is invalid by a value that would be telling.
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.918273645 WHERE id = $1',
      [machines[1]?.id],
    );
    const [telling] = machines;
    bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' &&
      params[0] === telling?.atmPubkey &&
      String(params[1]).includes(STATE_CANARIES.fee)
        ? { error: `cannot encrypt ${String(params[1])}` }
        : undefined,
    );

    const run = await saga.start(id, { reason: 'canaries' });
    await expect(run.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 2 });

    // They have been where they belong: a canary that nobody reads escapes nowhere.
    const encrypted = bunker.requests.filter(({ method }) => method === 'nip44_encrypt');
    const states = encrypted.map(({ params }) => String(params[1])).join();
    for (const canary of Object.values(STATE_CANARIES)) expect(states).toContain(canary);

    // The SDK hands its lines over in groups, and the run may be over before.
    await until(() => saga.logs.some((line) => line.includes('SignerRefused')));
    const places = await placesOf(saga, { ...run, operatorUserId: id });
    expect(places.history).toContain('republishDocuments');
    expect(places.tables).toContain('ncryptsec1');
    expect(places.logs).toContain('SignerRefused');
    const canaries = [
      secretKey,
      password,
      secret,
      ...Object.values(STATE_CANARIES),
      '918273645',
      'positions\\":',
      saga.databaseUrl,
    ];
    expect(escaped(places, canaries)).toEqual([]);
  });

  test('puts only a reference into history for each page, and only counts come back', async () => {
    const { id } = await saga.addOperator({ machines: 5 });
    const run = await saga.start(id);
    await run.result();
    const { events = [] } = await saga.client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
    const jsonOf = (payloads: { data?: Uint8Array | null }[] | null | undefined): unknown =>
      JSON.parse(Buffer.from(payloads?.[0]?.data ?? []).toString('utf8'));
    const scheduled = (events ?? []).filter(
      ({ activityTaskScheduledEventAttributes: attributes }) =>
        attributes?.activityType?.name === 'republishDocuments',
    );
    // Not the size of the whole history: how many workflow tasks there are depends on the load of the
    // machine.
    expect(
      scheduled.map(({ activityTaskScheduledEventAttributes: attributes }) =>
        jsonOf(attributes?.input?.payloads),
      ),
    ).toEqual([
      { runId: run.runId, page: 0 },
      { runId: run.runId, page: 1 },
    ]);
    const ids = new Set(scheduled.map(({ eventId }) => String(eventId)));
    const results = (events ?? []).flatMap(({ activityTaskCompletedEventAttributes: attributes }) =>
      ids.has(String(attributes?.scheduledEventId)) ? [jsonOf(attributes?.result?.payloads)] : [],
    );
    // Which events they are, the ledger says.
    const counts = expect.objectContaining({ published: 5, signed: 5 }) as unknown;
    const told = { counts, stood: true };
    expect(results).toEqual([told, told]);
  });
});
