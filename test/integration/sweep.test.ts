import { startRelay } from '../../dev/relay';
import type { HeartbeatDetails } from '../../contract/activities';
import { type ActivityBench, activityEnvironment, startActivities } from '../support/activities';
import { type ProxyAction, startFaultProxy } from '../support/fault-proxy';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

const FEES = 'bitspire-fees';
/** Long enough for every relay that answers, also on a busy machine. */
const RELAY_TIMEOUT = { REPUBLISH_RELAY_TIMEOUT_MS: '20000' };

/** What the sweep finds, and what it makes of it, on real relays. */
describe('the sweep', () => {
  let saga: Saga;
  let bench: ActivityBench;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    Object.assign(saga.env, RELAY_TIMEOUT);
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
    for (const relay of saga.relays) await until(() => relay.events().some(({ id }) => id === lost));
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
  }, 60_000);

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
  }, 60_000);

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

/** No test sees its end, unless it fails. */
const PATIENT = { REPUBLISH_DOCUMENT_TIMEOUT_MS: '50000' };

describe('relays that come and go during the sweep', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    Object.assign(saga.env, RELAY_TIMEOUT);
  });
  afterAll(() => saga.stop());

  /** Documents that stand on the given relays, each behind a proxy. */
  async function behindProxies({ relays, machines }: { relays: number; machines: number }) {
    const proxies = await Promise.all(saga.relays.slice(0, relays).map(({ url }) => startFaultProxy(url)));
    for (const proxy of proxies) saga.onStop(() => proxy.stop());
    const withEnv = (env: Record<string, string>) =>
      startActivities(saga, {
        env: { REPUBLISH_RELAYS: proxies.map(({ url }) => url).join(','), ...env },
        patience: { firstPauseMs: 20, maxPauseMs: 100 },
      });
    const bench = withEnv(PATIENT);
    const operator = await saga.addOperator({ machines });
    const { runId } = await bench.plan(operator, { documentTypes: [FEES] });
    await bench.call('republishDocuments', { runId, page: 0 });
    const ids = (await saga.ledger(runId)).map(({ event }) => event?.id ?? '');
    // The page does not wait for the slowest relay: what it still asks must not count as asked by the sweep.
    const countOf = (received: readonly unknown[][], of: string): number =>
      received.filter(([type]) => type === of).length;
    await until(() =>
      proxies.every(
        ({ received }, relay) =>
          heldBy(relay, ids).length === ids.length && countOf(received, 'REQ') === countOf(received, 'CLOSE'),
      ),
    );
    for (const proxy of proxies) proxy.received.length = 0;
    return { operator, bench, withEnv, runId, ids, proxies };
  }

  const drop = (ids: readonly string[], relay: number): void =>
    ids.forEach((id) => saga.relays[relay]?.drop(id));
  const heldBy = (relay: number, ids: readonly string[]): string[] => {
    const held = new Set(saga.relays[relay]?.events().map(({ id }) => id));
    return ids.filter((id) => held.has(id));
  };

  /** Sweeps, and calls `back` once documents wait for relays that do not answer. */
  async function sweepUntilWaiting(bench: ActivityBench, runId: string, back: () => Promise<unknown>) {
    const environment = activityEnvironment();
    let isWaiting = false;
    environment.on('heartbeat', ({ waiting = [] }: HeartbeatDetails) => {
      isWaiting ||= waiting.length > 0;
    });
    const swept = bench.call('sweep', { runId }, environment);
    await until(() => isWaiting);
    await back();
    return swept;
  }

  test.each([
    [1, 1],
    [3, 1],
    [3, 2],
  ])(
    'with %i relays, too few of them there: %i come back empty, and are sent each document once',
    async (relays, empty) => {
      const { bench, runId, ids, proxies } = await behindProxies({ relays, machines: 3 });
      const away = relays === 1 ? proxies : proxies.slice(0, 2);
      await Promise.all(away.map((proxy) => proxy.down()));
      const back = away.slice(0, empty);
      for (const relay of back.keys()) drop(ids, relay);
      const swept = await sweepUntilWaiting(bench, runId, () => Promise.all(back.map((proxy) => proxy.up())));
      expect(swept).toMatchObject({ counts: { [FEES]: { published: 3, standing: 3 } }, failures: [] });
      for (const [relay, proxy] of back.entries()) {
        expect(heldBy(relay, ids)).toHaveLength(3);
        expect(proxy.events()).toHaveLength(3);
      }
    },
    60_000,
  );

  test('a relay that empties after it has shown some documents is sent these too', async () => {
    const { bench, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 12 });
    const [proxy] = proxies;
    let asked = 0;
    // The first ten documents are seen. The relay ends before it answers for the others.
    proxy?.setFault(({ type }) => {
      if (type !== 'REQ') return undefined;
      asked += 1;
      if (asked === 3) drop(ids, 0);
      return asked === 2 ? { answer: { closed: 'error: shutting down' } } : undefined;
    });
    const swept = await bench.call('sweep', { runId });
    expect(swept).toMatchObject({ counts: { [FEES]: { published: 12, standing: 12 } }, failures: [] });
    expect(heldBy(0, ids)).toHaveLength(12);
  }, 60_000);

  test('a relay that comes back empty is not sent a state that was changed meanwhile', async () => {
    const { bench, operator, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 1 });
    await proxies[0]?.down();
    drop(ids, 0);
    await changeFee(saga, operator);
    const swept = await sweepUntilWaiting(bench, runId, async () => proxies[0]?.up());
    expect(swept.failures).toMatchObject([{ type: 'StateChanged' }]);
    expect(proxies[0]?.events()).toEqual([]);
  }, 60_000);

  const once: [string, ProxyAction][] = [
    ['refused for the moment', { answer: { ok: false, message: 'error: database is busy' } }],
    ['cut off', { drop: 'before' }],
    ['swallowed', { reply: [] }],
  ];

  test.each(once)(
    'an event that is %s once is sent again',
    async (_, action) => {
      const { bench, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 2 });
      drop(ids, 0);
      const [troubled] = ids;
      let tries = 0;
      proxies[0]?.setFault(({ type, event }) =>
        type === 'EVENT' && event?.id === troubled && (tries += 1) === 1 ? action : undefined,
      );
      const swept = await bench.call('sweep', { runId });
      expect(swept).toMatchObject({ counts: { [FEES]: { published: 2, standing: 2 } }, failures: [] });
      expect(heldBy(0, ids)).toEqual(ids);
      expect(tries).toBeGreaterThan(1);
    },
    60_000,
  );

  test('a relay that shows an event a moment after its OK has it', async () => {
    const { bench, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 1 });
    drop(ids, 0);
    let shownFromMs = 0;
    proxies[0]?.setFault(({ type, subject }) => {
      if (type === 'EVENT') shownFromMs = Date.now() + 250;
      return type === 'REQ' && Date.now() < shownFromMs ? { reply: [['EOSE', subject]] } : undefined;
    });
    const swept = await bench.call('sweep', { runId });
    expect(swept).toMatchObject({ counts: { [FEES]: { published: 1, standing: 1 } }, failures: [] });
    expect(proxies[0]?.events()).toHaveLength(1);
  }, 60_000);

  test('what a relay refuses for as long as a document may wait fails with its words', async () => {
    const { withEnv, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 1 });
    drop(ids, 0);
    let tries = 0;
    proxies[0]?.setFault(({ type }) => {
      if (type !== 'EVENT') return undefined;
      tries += 1;
      return { answer: { ok: false, message: 'error: database is busy' } };
    });
    const bench = withEnv({ REPUBLISH_DOCUMENT_TIMEOUT_MS: '3000' });
    const { failures } = await bench.call('sweep', { runId });
    expect(failures).toMatchObject([
      {
        type: 'RelayQuorumNotReached',
        message: expect.stringContaining('refused (error: database is busy)'),
      },
    ]);
    expect(tries).toBeGreaterThan(1);
  }, 60_000);

  test('what a relay refuses finally is lost at once, with its words', async () => {
    const { bench, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 1 });
    drop(ids, 0);
    proxies[0]?.setFault(({ type }) =>
      type === 'EVENT' ? { answer: { ok: false, message: 'blocked: not here' } } : undefined,
    );
    const { failures } = await bench.call('sweep', { runId });
    expect(failures).toMatchObject([
      { type: 'DocumentLost', message: expect.stringContaining('refused (blocked: not here)') },
    ]);
    expect(proxies[0]?.events()).toHaveLength(1);
  }, 60_000);

  test.each<[string, (operator: SagaOperator) => Promise<unknown>, object]>([
    [
      'whose machine was sold',
      ({ machines: [machine] }) =>
        saga.database.query("UPDATE spirekeeper.dca_machines SET operator_user_id = 'else' WHERE id = $1", [
          machine?.id,
        ]),
      { failures: [{ type: 'PlanOutdated', message: 'the machine is no longer one of the operator' }] },
    ],
    [
      'whose state was changed',
      (operator) => changeFee(saga, operator),
      { failures: [{ type: 'StateChanged' }] },
    ],
    [
      'whose account has another key',
      ({ id }) => saga.database.query('UPDATE accounts SET pubkey = $2 WHERE id = $1', [id, 'a'.repeat(64)]),
      { failures: [{ type: 'PlanOutdated' }], failure: { type: 'PlanOutdated' } },
    ],
  ])(
    'a document that vanished and %s is not sent again',
    async (_, change, expected) => {
      const { bench, operator, runId, ids, proxies } = await behindProxies({ relays: 1, machines: 1 });
      drop(ids, 0);
      await change(operator);
      expect(await bench.call('sweep', { runId })).toMatchObject(expected);
      expect(proxies[0]?.events()).toEqual([]);
      expect(heldBy(0, ids)).toEqual([]);
    },
    60_000,
  );

  test('where nothing is missing, one REQ for ten documents is all that relays are asked', async () => {
    const { bench, runId, proxies } = await behindProxies({ relays: 3, machines: 20 });
    await bench.call('sweep', { runId });
    for (const proxy of proxies) {
      expect(proxy.received.filter(([type]) => type === 'REQ')).toHaveLength(2);
      expect(proxy.events()).toEqual([]);
    }
  }, 60_000);
});

function changeFee({ database }: Saga, { machines: [machine] }: SagaOperator): Promise<unknown> {
  return database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.0123 WHERE id = $1',
    [machine?.id],
  );
}
