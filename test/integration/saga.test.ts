import { generateSecretKey, getPublicKey, nip44, verifyEvent } from 'nostr-tools';
import { RepublishFailed } from '../../client/errors';
import { republishOperatorConfigs } from '../../client/republish';
import { WORKFLOW_TYPE } from '../../contract/names';
import { fails } from '../support/fails';
import { holdAfter } from '../support/gate';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

describe('the saga', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  test('publishes every document once, encrypted to its machine and signed by the current key', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 3 });

    const events = await (await saga.start(id)).result();

    expect(Object.keys(events)).toEqual(['bitspire-cassettes', 'bitspire-fees']);
    const stored = saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey) ?? [];
    expect(stored.map(({ id: eventId }) => eventId).sort()).toEqual(Object.values(events).flat().sort());
    expect(stored).toHaveLength(6);
    for (const [index, machine] of machines.entries()) {
      for (const documentType of ['bitspire-cassettes', 'bitspire-fees']) {
        const eventId = events[documentType]?.[index];
        const event = stored.find((candidate) => candidate.id === eventId);
        if (event === undefined) throw new Error(`no event ${eventId} of ${documentType}`);
        expect(verifyEvent({ ...event })).toBe(true);
        expect(event.kind).toBe(30078);
        expect(event.tags).toEqual([
          ['d', `${documentType}:${machine.atmPubkey}`],
          ['p', machine.atmPubkey],
        ]);
        const key = nip44.getConversationKey(machine.secretKey, bunker.userPubkey);
        const state = nip44.decrypt(event.content, key);
        if (index > 0) continue;
        // The first machine as `seedOperator` writes it, with the digits and the members that the extension
        // publishes.
        expect(JSON.parse(state)).toEqual(
          documentType === 'bitspire-fees'
            ? {
                schema_version: 1,
                cash_in_fee_fraction: 0.0733,
                cash_out_fee_fraction: 0.1177,
                components: {
                  super_cash_in: 0.03,
                  super_cash_out: 0.03,
                  operator_cash_in: 0.0433,
                  operator_cash_out: 0.0877,
                },
              }
            : {
                positions: {
                  '1': { denomination: 20, count: 101 },
                  '2': { denomination: 50, count: 102 },
                  '3': { denomination: 100, count: 103 },
                },
              },
        );
        if (documentType === 'bitspire-fees')
          expect(state.match(/"cash_(in|out)_fee_fraction":[0-9.]+/g)).toEqual([
            '"cash_in_fee_fraction":0.0733',
            '"cash_out_fee_fraction":0.1177',
          ]);
      }
    }
    const [audit, ...others] = await saga.audits(id);
    expect(others).toEqual([]);
    expect(audit).toMatchObject({
      outcome: 'complete',
      events,
      operatorPubkey: bunker.userPubkey,
      failures: [],
      failure: null,
    });
  });

  test('a ledger that has lost documents meanwhile, as after a failover, is not taken for complete', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 4 });
    // It cannot be over before the documents are lost: the bunker signs two of them and waits.
    let signatures = 0;
    let lost: () => void = () => undefined;
    const areLost = new Promise<void>((resolve) => (lost = resolve));
    bunker.setFaults(async ({ method }) => {
      if (method === 'sign_event' && (signatures += 1) > 2) await areLost;
      return undefined;
    });
    const run = await saga.start(id);
    await until(async () => (await saga.ledger(run.runId)).some(({ outcome }) => outcome === 'published'));
    await saga.database.query('DELETE FROM republish.documents WHERE run_id = $1 AND machine_id = $2', [
      run.runId,
      machines[3]?.id,
    ]);
    lost();

    const failed = await fails(RepublishFailed, run.result());
    expect(failed.type).toBe('LedgerIncomplete');
    expect(failed.message).toContain('the ledger has 6 of the 8 documents that were planned');
    expect(await saga.audits(id)).toMatchObject([
      { outcome: 'failed', failure: { type: 'LedgerIncomplete' } },
    ]);

    const again = await (await saga.start(id)).result();
    expect(Object.values(again).flat()).toHaveLength(8);
  });

  test('a second run finds everything unchanged, gives the same ids and asks the bunker nothing', async () => {
    const { id, bunker } = await saga.addOperator();
    const first = await (await saga.start(id)).result();
    const asked = bunker.requests.length;

    const run = await saga.start(id);
    expect(await run.result()).toEqual(first);

    expect(bunker.requests.length).toBe(asked);
    expect(await run.progress()).toMatchObject({
      phase: 'done',
      planned: 4,
      unchanged: 4,
      published: 0,
      failed: 0,
    });
    expect((await saga.audits(id)).map(({ counts }) => counts['bitspire-fees']?.unchanged)).toEqual([2, 0]);
  });

  test('a changed row makes exactly one new event, dated behind the old one', async () => {
    const { id, machines, bunker } = await saga.addOperator();
    const first = await (await saga.start(id)).result();
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.0925 WHERE id = $1',
      [machines[1]?.id],
    );
    const signed = bunker.requests.filter(({ method }) => method === 'sign_event').length;

    const run = await saga.start(id);
    const second = await run.result();

    expect(second['bitspire-cassettes']).toEqual(first['bitspire-cassettes']);
    expect(second['bitspire-fees']?.[0]).toBe(first['bitspire-fees']?.[0]);
    expect(second['bitspire-fees']?.[1]).not.toBe(first['bitspire-fees']?.[1]);
    expect(bunker.requests.filter(({ method }) => method === 'sign_event').length).toBe(signed + 1);
    expect(await run.progress()).toMatchObject({ published: 1, unchanged: 3 });
    // Addressable: the relay keeps one event for each address, and it is the new one.
    const stored = saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey) ?? [];
    expect(stored.map((event) => event.id).sort()).toEqual(Object.values(second).flat().sort());
  });

  test('force alone signs anew only what sets nothing that a machine counts itself', async () => {
    const { id } = await saga.addOperator({ machines: 2 });
    const first = await (await saga.start(id)).result();
    const run = await saga.start(id, { force: true });
    const second = await run.result();
    expect(second['bitspire-cassettes']).toEqual(first['bitspire-cassettes']);
    expect(second['bitspire-fees']).toHaveLength(2);
    for (const eventId of second['bitspire-fees'] ?? [])
      expect(first['bitspire-fees']).not.toContain(eventId);
    expect(await run.progress()).toMatchObject({ published: 2, unchanged: 2 });
  });

  test('force and resetCounts sign anew what is unchanged', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const first = await (await saga.start(id)).result();
    const run = await saga.start(id, { force: true, resetCounts: true });
    const second = await run.result();
    expect(Object.values(second).flat()).toHaveLength(2);
    for (const eventId of Object.values(second).flat())
      expect(Object.values(first).flat()).not.toContain(eventId);
    expect(await run.progress()).toMatchObject({ published: 2, unchanged: 0 });
  });

  test('a single type and a subset of machines', async () => {
    const { id, machines } = await saga.addOperator({ machines: 3 });
    const run = await saga.start(id, {
      documentTypes: ['bitspire-cassettes'],
      machineIds: [machines[0]?.id ?? '', machines[2]?.id ?? ''],
    });
    const events = await run.result();
    expect(Object.keys(events)).toEqual(['bitspire-cassettes']);
    expect(events['bitspire-cassettes']).toHaveLength(2);
    expect((await saga.ledger(run.runId)).map(({ machineId }) => machineId)).toEqual([
      machines[0]?.id,
      machines[2]?.id,
    ]);
  });

  test('an operator with no machines ends well, with empty lists and an audit row, and it is said where they were looked for', async () => {
    const { id } = await saga.addOperator({ machines: 0 });
    const run = await saga.start(id);
    expect(await run.result()).toEqual({ 'bitspire-cassettes': [], 'bitspire-fees': [] });
    const { host, pathname } = new URL(saga.databaseUrl);
    expect((await run.progress()).lookedIn).toBe(
      `LNbits' database (Postgres ${host}${pathname}), table spirekeeper.dca_machines, operator_user_id = '${id}'`,
    );
    expect(await saga.audits(id)).toMatchObject([
      { outcome: 'complete', events: { 'bitspire-cassettes': [], 'bitspire-fees': [] } },
    ]);
  });

  test('a machine without state is skipped, and its type is still a key of the result', async () => {
    const { id, machines } = await saga.addOperator({ machines: 1 });
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [
      machines[0]?.id,
    ]);
    const run = await saga.start(id);
    const events = await run.result();
    expect(events['bitspire-cassettes']).toEqual([]);
    expect(events['bitspire-fees']).toHaveLength(1);
    expect(await run.progress()).toMatchObject({
      planned: 1,
      skipped: 1,
      documentTypes: { 'bitspire-cassettes': { planned: 0, skipped: 1 } },
    });
    expect((await saga.ledger(run.runId))[0]).toMatchObject({
      outcome: 'skipped',
      failureType: null,
      failureMessage: 'has not reported yet',
    });
  });

  test.each([null, '', '  '])('a machine whose key is %j is not paired yet, and skipped', async (key) => {
    const { id, machines } = await saga.addOperator({ machines: 2 });
    await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = $1 WHERE id = $2', [
      key,
      machines[0]?.id,
    ]);
    const run = await saga.start(id);
    expect(Object.values(await run.result()).flat()).toHaveLength(2);
    const rows = (await saga.ledger(run.runId)).filter(({ machineId }) => machineId === machines[0]?.id);
    expect(rows).toHaveLength(2);
    for (const row of rows)
      expect(row).toMatchObject({
        outcome: 'skipped',
        failureType: null,
        failureMessage: 'not paired yet',
        atmPubkey: null,
      });
    await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = NULL WHERE id = $1', [
      machines[0]?.id,
    ]);
  });

  test('an inactive machine is republished, too: it may come back', async () => {
    const { id, machines } = await saga.addOperator({ machines: 1 });
    await saga.database.query('UPDATE spirekeeper.dca_machines SET is_active = false WHERE id = $1', [
      machines[0]?.id,
    ]);
    expect(Object.values(await (await saga.start(id)).result()).flat()).toHaveLength(2);
  });

  test('a bad row does not stop the others; the failure holds both what stands and what failed', async () => {
    const { id, machines } = await saga.addOperator({ machines: 2 });
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.4962 WHERE id = $1',
      [machines[0]?.id],
    );
    await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = $1 WHERE id = $2', [
      'not-a-key',
      machines[1]?.id,
    ]);

    const run = await saga.start(id);
    const failure = await fails(RepublishFailed, run.result());

    expect(failure.type).toBe('RepublishIncomplete');
    expect(failure.remedy).toMatch(/start again/);
    expect(failure.published['bitspire-cassettes']).toHaveLength(1);
    expect(failure.published['bitspire-fees']).toEqual([]);
    expect(failure.failed).toBe(3);
    expect(
      failure.failures.map(({ type, documentType, machineId }) => [type, documentType, machineId]).sort(),
    ).toEqual(
      [
        ['StateInvalid', 'bitspire-fees', machines[0]?.id],
        ['MachineKeyInvalid', 'bitspire-cassettes', machines[1]?.id],
        ['MachineKeyInvalid', 'bitspire-fees', machines[1]?.id],
      ].sort(),
    );
    expect(JSON.stringify(failure.failures)).not.toContain('.4962');
    expect(await saga.audits(id)).toMatchObject([{ outcome: 'incomplete', events: failure.published }]);
    expect(await run.progress()).toMatchObject({ planned: 4, published: 1, failed: 3 });
  });

  test('a document that the bunker refuses fails alone, and the next run does only that one', async () => {
    let refuse = true;
    const { id, bunker } = await saga.addOperator({
      machines: 2,
      bunker: {
        faults: ({ method, params }) =>
          refuse && method === 'sign_event' && String(params[0]).includes('bitspire-fees')
            ? { error: 'not allowed' }
            : undefined,
      },
    });
    const failure = await fails(RepublishFailed, (await saga.start(id)).result());
    expect(failure).toMatchObject({ type: 'RepublishIncomplete', failed: 2 });
    expect(failure.failures).toMatchObject([{ type: 'SignerRefused' }, { type: 'SignerRefused' }]);
    expect(failure.published['bitspire-cassettes']).toHaveLength(2);

    refuse = false;
    const before = bunker.requests.filter(({ method }) => method === 'sign_event').length;
    const run = await saga.start(id);
    const events = await run.result();
    expect(events['bitspire-cassettes']).toEqual(failure.published['bitspire-cassettes']);
    expect(await run.progress()).toMatchObject({ published: 2, unchanged: 2 });
    expect(bunker.requests.filter(({ method }) => method === 'sign_event').length).toBe(before + 2);
  });

  test('a bunker that swallows a request is asked again, and the document keeps its id', async () => {
    let swallowed = 0;
    const { id } = await saga.addOperator({
      machines: 1,
      bunker: {
        faults: ({ method }) =>
          method === 'sign_event' && swallowed < 1 ? ((swallowed += 1), { swallow: true }) : undefined,
      },
    });
    const run = await saga.start(id);
    const sealed = new Set<string>();
    const watching = (async () => {
      for (;;) {
        for (const row of await saga.ledger(run.runId)) if (row.event) sealed.add(row.event.id);
        if ((await run.progress()).phase === 'done') return;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    })();
    const events = await run.result();
    await watching;
    expect(swallowed).toBe(1);
    expect([...sealed].sort()).toEqual(Object.values(events).flat().sort());
  });

  test('a local signer works the same way', async () => {
    const key = generateSecretKey();
    const { id } = await saga.addLocalOperator({
      machines: 1,
      secretKeyHex: Buffer.from(key).toString('hex'),
      pubkey: getPublicKey(key),
    });
    const events = await (await saga.start(id)).result();
    expect(Object.values(events).flat()).toHaveLength(2);
    const stored = saga.relays[0]?.events().filter(({ pubkey }) => pubkey === getPublicKey(key)) ?? [];
    expect(stored).toHaveLength(2);
  });

  test('started twice, it is one run', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const held = holdAfter(bunker, 0);
    const first = await saga.start(id);
    const second = await saga.start(id);
    held.release();
    expect([first.attached, second.attached]).toEqual([false, true]);
    expect(second.runId).toBe(first.runId);
    expect(await second.result()).toEqual(await first.result());
    expect(await saga.audits(id)).toHaveLength(1);
  });

  test('machines beyond one page are planned and published too', async () => {
    const paged = await startSaga();
    try {
      await paged.startWorker({ env: { REPUBLISH_DOCUMENTS_PER_PAGE: '2' } });
      const { id, machines } = await paged.addOperator({ machines: 5 });
      const run = await paged.start(id);
      const events = await run.result();
      expect(Object.values(events).flat()).toHaveLength(10);
      expect(new Set((await paged.ledger(run.runId)).map(({ machineId }) => machineId)).size).toBe(
        machines.length,
      );
    } finally {
      await paged.stop();
    }
  });

  test('a caller who finds a narrower run going on gets the result of its own request', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    const held = holdAfter(bunker, 0);
    const narrow = await saga.start(id, {
      documentTypes: ['bitspire-fees'],
      machineIds: [machines[0]?.id ?? ''],
    });
    const options = { client: saga.client, taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '' };
    const [full, same] = await Promise.all([
      republishOperatorConfigs(id, { ...options, onWaiting: held.release }),
      republishOperatorConfigs(id, {
        ...options,
        documentTypes: ['bitspire-fees'],
        machineIds: [machines[0]?.id ?? ''],
      }),
    ]);
    expect(Object.values(full).map((ids) => ids.length)).toEqual([2, 2]);
    expect(same).toEqual(await narrow.result());
    expect(full['bitspire-fees']?.[0]).toBe(same['bitspire-fees']?.[0]);
  });

  test('runs at the same time, started past the one workflow id, leave one newest event at each address', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 2 });
    const runs = await Promise.all(
      [0, 1, 2].map((n) =>
        saga.client.workflow.start(WORKFLOW_TYPE, {
          workflowId: `past-the-id-${id}-${n}`,
          taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '',
          args: [{ operatorUserId: id, force: true, resetCounts: true }],
        }),
      ),
    );
    await Promise.all(runs.map((run) => run.result()));
    const stored = saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey) ?? [];
    expect(stored).toHaveLength(4);
    const audits = await saga.audits(id);
    const published = audits.flatMap(({ events }) => Object.values(events).flat());
    // What stands was published by one of the runs; what a later one replaced, that run or its audit calls by
    // its name.
    for (const event of stored) expect(published).toContain(event.id);
    const rows = (await Promise.all(runs.map((run) => saga.ledger(run.firstExecutionRunId)))).flat();
    const dates = rows.map(
      ({ documentType, machineId, event }) => `${documentType} ${machineId} ${event?.created_at}`,
    );
    expect(new Set(dates).size).toBe(12);
  });
});
