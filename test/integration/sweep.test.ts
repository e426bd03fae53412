import { startRelay } from '../../dev/relay';
import { type ActivityBench, startActivities } from '../support/activities';
import { type Saga, startSaga } from '../support/saga';

const FEES = 'bitspire-fees';

/** What the sweep finds, and what it makes of it, on real relays. */
describe('the sweep', () => {
  let saga: Saga;
  let bench: ActivityBench;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    bench = startActivities(saga);
  });
  afterAll(() => saga.stop());

  async function published(machines: number) {
    const operator = await saga.addOperator({ machines });
    const { runId } = await bench.plan(operator, { documentTypes: [FEES] });
    await bench.call('republishDocuments', { runId, page: 0 });
    return { operator, runId };
  }

  const ids = async (runId: string): Promise<string[]> =>
    (await saga.ledger(runId)).map(({ event }) => event?.id ?? '');

  test('finds everything in place, and leaves it', async () => {
    const { runId, operator } = await published(3);
    const asked = operator.bunker.requests.length;
    expect(await bench.call('sweep', { runId })).toMatchObject({
      swept: true,
      pages: [],
      counts: { [FEES]: { published: 3, standing: 3 } },
      failures: [],
    });
    expect(operator.bunker.requests.length).toBe(asked);
  });

  test('sends the bytes of the ledger again wherever they have vanished', async () => {
    const { runId } = await published(3);
    const [lost = ''] = await ids(runId);
    for (const relay of saga.relays) relay.drop(lost);
    expect(await bench.call('sweep', { runId })).toMatchObject({ counts: { [FEES]: { published: 3 } } });
    for (const relay of saga.relays) expect(relay.events().map(({ id }) => id)).toContain(lost);
  });

  test('heals a relay that lagged, and the ledger says so', async () => {
    const { runId } = await published(1);
    const [id = ''] = await ids(runId);
    saga.relays[2]?.drop(id);
    await saga.database.query(
      `UPDATE republish.documents SET relays = jsonb_build_object($2::text, '{"state":"absent"}'::jsonb) WHERE run_id = $1`,
      [runId, saga.relays[2]?.url],
    );
    await bench.call('sweep', { runId });
    const [row] = await saga.ledger(runId);
    expect(row?.relays[saga.relays[2]?.url ?? '']).toEqual({ state: 'holds' });
  });

  test('names as lost what the relays do not keep', async () => {
    const { runId } = await published(2);
    const [refused = ''] = await ids(runId);
    // Dropped, and never taken again.
    for (const relay of saga.relays) relay.forget(refused);
    const swept = await bench.call('sweep', { runId });
    expect(swept).toMatchObject({
      counts: { [FEES]: { published: 1, failed: 1 } },
      failures: [{ type: 'DocumentLost', message: expect.stringContaining('0 of the 2 required relays') }],
    });
  });

  test('a relay that is away proves nothing: the others decide', async () => {
    const { runId } = await published(2);
    await saga.relays[0]?.stop();
    try {
      expect(await bench.call('sweep', { runId })).toMatchObject({ counts: { [FEES]: { published: 2 } } });
    } finally {
      saga.relays[0] = await startRelay({ port: saga.relays[0]?.port ?? 0 });
    }
  }, 30_000);

  test('a state that was changed since, with nothing newer on the relays, is a matter of another run', async () => {
    const { runId, operator } = await published(2);
    const [changed, other] = operator.machines;
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.0123 WHERE id = $1',
      [changed?.id],
    );
    await saga.database.query("UPDATE spirekeeper.dca_machines SET operator_user_id = 'else' WHERE id = $1", [
      other?.id,
    ]);
    const { failures } = await bench.call('sweep', { runId });
    expect(failures.map(({ machineId, type }) => [machineId, type])).toEqual([
      [changed?.id, 'StateChanged'],
      [other?.id, 'PlanOutdated'],
    ]);
  }, 30_000);

  test('an account that has another key by now makes the whole run untrue', async () => {
    const { runId, operator } = await published(1);
    await saga.database.query('UPDATE accounts SET pubkey = $2 WHERE id = $1', [operator.id, 'a'.repeat(64)]);
    expect(await bench.call('sweep', { runId })).toMatchObject({ failure: { type: 'PlanOutdated' } });
  });

  test('a skipped document that stands on relays after all is said to', async () => {
    const { runId } = await published(1);
    await saga.database.query(
      `INSERT INTO republish.pages (run_id, page, document_type) VALUES ($1, 9, '${FEES}')`,
      [runId],
    );
    await saga.database.query(
      `INSERT INTO republish.documents (run_id, document_type, machine_id, page, machine_name, atm_pubkey, operator_pubkey,
         state_fingerprint, event_id, created_at_s, unsigned_event, signature, outcome, failure_type, failure_message)
       SELECT run_id, document_type, 'given up', 9, machine_name, atm_pubkey, operator_pubkey, state_fingerprint, event_id,
              created_at_s, unsigned_event, signature, 'skipped', 'GivenUp', 'given up by ann'
         FROM republish.documents WHERE run_id = $1`,
      [runId],
    );
    await bench.call('sweep', { runId });
    const row = (await saga.ledger(runId)).find(({ machineId }) => machineId === 'given up');
    expect(row?.failureMessage).toMatch(
      /given up by ann; it had been signed and sent before: 3 relays have it/,
    );
  });

  test('looks at nothing while pages have open documents', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await bench.plan(operator);
    expect(await bench.call('sweep', { runId })).toMatchObject({
      swept: false,
      pages: [
        [0, { open: 1 }],
        [1, { open: 1 }],
      ],
    });
  });
});
