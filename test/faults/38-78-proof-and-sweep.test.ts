import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startRelay } from '../../dev/relay';
import type { FaultAction } from '../../dev/bunker-faults';
import { type ActivityBench, startActivities } from '../support/activities';
import { startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { holdAfter } from '../support/gate';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

const FEES = 'bitspire-fees';

/** What a run says at its end is true at its end. */
describe('proof before, and sweep after', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  const documentsOf = ({ bunker }: SagaOperator) =>
    (saga.relays[0]?.events() ?? []).filter(
      ({ kind, pubkey }) => kind === 30078 && pubkey === bunker.userPubkey,
    );

  test.each<[string, FaultAction | ((text: string) => FaultAction)]>([
    ['with its own key', { encryptWith: generateSecretKey() }],
    ['what it has trimmed', (text) => ({ encryptText: text.trim() })],
    ['what it has normalised', (text) => ({ encryptText: text.normalize('NFKD') })],
    ['what it has cut', (text) => ({ encryptText: text.slice(0, 300) })],
  ])('38: a bunker that encrypts %s: SignerCannotEncrypt, and nothing is published', async (_, action) => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    operator.bunker.setFaults(({ method, params }) => {
      if (method !== 'nip44_encrypt') return undefined;
      return typeof action === 'function' ? action(params[1] ?? '') : action;
    });
    const { failure, ids, audit } = await runUnderFault(saga, operator);
    expect(failure?.type).toBe('SignerCannotEncrypt');
    expect(ids).toEqual([]);
    expect(audit.outcome).toBe('failed');
    expect(documentsOf(operator)).toEqual([]);
    expect(operator.bunker.requests.some(({ method }) => method === 'sign_event')).toBe(false);
  });

  test('52: a relay that keeps 10 events of each author: 40 documents are 10 that stand and 30 that are lost, by name', async () => {
    const small = await startSaga();
    try {
      const relay = await startRelay({ keepPerAuthor: 10 });
      small.onStop(() => relay.stop());
      await small.startWorker({
        env: { REPUBLISH_RELAYS: relay.url, REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000' },
      });
      const operator = await small.addOperator({ machines: 20 });
      const run = await small.start(operator.id);
      await expect(run.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 30 });
      const [audit] = await small.audits(operator.id);
      expect(audit?.outcome).toBe('incomplete');
      expect(audit?.failures.every(({ type }) => type === 'DocumentLost')).toBe(true);
      const standing = Object.values(audit?.events ?? {}).flat();
      expect(standing).toHaveLength(10);
      const held = relay.events().map(({ id }) => id);
      expect(standing.filter((id) => !held.includes(id))).toEqual([]);
    } finally {
      await small.stop();
    }
  }, 90_000);

  test('52: a relay that drops what it had confirmed: it is sent once more', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    let [signatures, isDropped] = [0, false];
    operator.bunker.setFaults(async ({ method }) => {
      // The run goes on until then: what a page misses before it is confirmed is no matter of the sweep.
      if (method === 'sign_event' && ++signatures > 1) await until(() => isDropped);
      return undefined;
    });
    const { failure, ids } = await runUnderFault(saga, operator, {
      during: async ({ runId }) => {
        const confirmed = async () =>
          (await saga.ledger(runId)).find(({ outcome }) => outcome === 'published')?.event?.id;
        await until(async () => (await confirmed()) !== undefined);
        saga.relays[0]?.drop((await confirmed()) ?? '');
        isDropped = true;
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
    expect(new Set(documentsOf(operator).map(({ id }) => id))).toEqual(new Set(ids));
  });

  test('76: sending one page evicts what another has confirmed: the second pass decides', async () => {
    const small = await startSaga();
    try {
      const relay = await startRelay({ keepPerAuthor: 5 });
      small.onStop(() => relay.stop());
      await small.startWorker({
        env: {
          REPUBLISH_RELAYS: relay.url,
          REPUBLISH_DOCUMENTS_PER_PAGE: '2',
          REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000',
        },
      });
      const operator = await small.addOperator({ machines: 4 });
      const run = await small.start(operator.id);
      await expect(run.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 3 });
      const [audit] = await small.audits(operator.id);
      const held = relay
        .events()
        .map(({ id }) => id)
        .sort();
      expect(
        Object.values(audit?.events ?? {})
          .flat()
          .sort(),
      ).toEqual(held);
    } finally {
      await small.stop();
    }
  }, 60_000);

  describe('facts that change meanwhile', () => {
    const paused = async (operator: SagaOperator) => {
      const bunker = holdAfter(operator.bunker, 1);
      const run = await saga.start(operator.id, { documentTypes: [FEES] });
      // Not before it is planned: a plan that is made afterwards has the changed facts.
      await until(() => bunker.isHeld());
      await run.pause();
      await until(async () => (await run.status()).inWork.length === 0);
      bunker.release();
      return run;
    };

    test('55: a machine that is moved to another operator while the run is paused ends as PlanOutdated', async () => {
      const operator = await saga.addOperator({ machines: 8 });
      const run = await paused(operator);
      // Not one that is signed: that may be out by now.
      const open = (await saga.ledger(run.runId)).filter(
        ({ outcome, signature }) => outcome === null && signature === null,
      );
      const sold = open.at(-1);
      expect(sold).toBeDefined();
      await saga.database.query(
        "UPDATE spirekeeper.dca_machines SET operator_user_id = 'else' WHERE id = $1",
        [sold?.machineId],
      );
      await run.resume();
      await expect(run.result()).rejects.toMatchObject({
        failures: [{ type: 'PlanOutdated', machineId: sold?.machineId }],
      });
      expect(
        documentsOf(operator).some(({ tags }) => tags.some(([, value]) => value === sold?.atmPubkey)),
      ).toBe(false);
    });

    test('55: so does one whose key is replaced, also after its document was sent', async () => {
      const operator = await saga.addOperator({ machines: 8 });
      const run = await paused(operator);
      const replaced = operator.machines.map(({ id }) => id);
      await saga.database.query(
        'UPDATE spirekeeper.dca_machines SET machine_npub = $2 WHERE id = ANY ($1) AND id = $3',
        [replaced, getPublicKey(generateSecretKey()), replaced[0]],
      );
      await run.resume();
      await expect(run.result()).rejects.toMatchObject({
        failures: [{ type: 'PlanOutdated', machineId: replaced[0] }],
      });
    });

    test('55: an account that has another key: the run ends, and is not complete', async () => {
      const operator = await saga.addOperator({ machines: 8 });
      const run = await paused(operator);
      await saga.database.query('UPDATE accounts SET pubkey = $2 WHERE id = $1', [
        operator.id,
        getPublicKey(generateSecretKey()),
      ]);
      await run.resume();
      await expect(run.result()).rejects.toMatchObject({ type: 'PlanOutdated' });
      expect((await saga.audits(operator.id))[0]?.outcome).toBe('failed');
    });

    test('77: a state that is changed after its document was published, with nothing newer standing: StateChanged', async () => {
      const operator = await saga.addOperator({ machines: 1, bunker: { answerDelayMs: 50 } });
      operator.bunker.setFaults(async ({ method, params }) => {
        // The fees are out; the cassettes come after them.
        if (method === 'sign_event' && String(params[0]).includes('bitspire-cassettes')) {
          await until(() => documentsOf(operator).length > 0);
          await saga.database.query(
            'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.0321 WHERE id = $1',
            [operator.machines[0]?.id],
          );
        }
        return undefined;
      });
      const run = await saga.start(operator.id);
      await expect(run.result()).rejects.toMatchObject({
        failures: [{ type: 'StateChanged', documentType: FEES }],
      });
      operator.bunker.setFaults(undefined);
      // What its remedy says: another run.
      expect(Object.values(await (await saga.start(operator.id)).result()).flat()).toHaveLength(2);
    });
  });

  describe('a run that holds', () => {
    /** Side by side: before it holds a run tries for half a minute. */
    test('65: holds also where the bunker or the relay is away at its beginning, and goes on', async () => {
      await Promise.all([holdsWithout('bunker'), holdsWithout('relay')]);
    }, 150_000);

    async function holdsWithout(what: 'bunker' | 'relay'): Promise<void> {
      const other = await startSaga();
      try {
        // The worker reaches relay and bunker through it: its port stays its own while it is away.
        const way = await startFaultProxy(other.relays[0]?.url ?? '');
        other.onStop(() => way.stop());
        await other.startWorker({
          env: { REPUBLISH_RELAYS: way.url, REPUBLISH_BUNKER_TIMEOUT_MS: '1000' },
        });
        const operator = await other.addOperator({ machines: 2, bunker: { namedRelays: [way.url] } });
        if (what === 'bunker') operator.bunker.pause();
        else await way.down();
        const run = await other.start(operator.id, { onFailure: 'hold' });
        await until(async () => (await run.progress()).phase === 'holding', 60_000);
        expect((await run.progress()).blocked?.type).toMatch(/^Signer|^Relay/);
        if (what === 'bunker') operator.bunker.resume();
        else await way.up();
        await until(async () => {
          if ((await run.progress()).phase === 'holding') await run.retry().catch(() => 0);
          return (await run.status()).status !== 'RUNNING';
        }, 60_000);
        expect(Object.values(await run.result()).flat()).toHaveLength(4);
      } finally {
        await other.stop();
      }
    }

    test('74: a signer that is replaced in mid-run by one that cannot encrypt is proved before it is asked', async () => {
      const operator = await saga.addOperator({ machines: 2 });
      operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
      const run = await saga.start(operator.id, { onFailure: 'hold', documentTypes: [FEES] });
      await until(async () => (await run.progress()).phase === 'holding');
      // Paired anew: another client key. Then it encrypts with a key of its own.
      await saga.pairAnew(operator);
      const own = generateSecretKey();
      operator.bunker.setFaults(({ method }) =>
        method === 'nip44_encrypt' ? { encryptWith: own } : undefined,
      );
      await run.retry();
      await until(async () => (await run.progress()).blocked?.type === 'SignerCannotEncrypt');
      expect(documentsOf(operator)).toEqual([]);
      operator.bunker.setFaults(undefined);
      await run.retry();
      expect(Object.values(await run.result()).flat()).toHaveLength(2);
    });
  });
});

/** What attempts at a page do, one beside or after the other. */
describe('pages under fault', () => {
  let saga: Saga;
  let bench: ActivityBench;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    bench = startActivities(saga, { env: { REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000' } });
    // A run whose bunker is silent is given up in minutes, long after a bystander's has ended.
    await saga.startWorker({
      env: { REPUBLISH_BUNKER_CONCURRENCY: '4', REPUBLISH_BUNKER_TIMEOUT_MS: '30000' },
    });
  });
  afterAll(() => saga.stop());

  test('67: operators whose bunkers never answer hold one activity each, and a bystander is done before them', async () => {
    const silent = await Promise.all(Array.from({ length: 12 }, () => saga.addOperator({ machines: 3 })));
    for (const { bunker } of silent) bunker.setFaults(() => ({ swallow: true }));
    const bystander = await saga.addOperator({ machines: 10 });
    const runs = await Promise.all(silent.map(({ id }) => saga.start(id)));
    await until(async () => (await runs[0]?.status())?.inWork.length !== 0);
    const run = await saga.start(bystander.id);
    expect(Object.values(await run.result()).flat()).toHaveLength(20);
    for (const each of runs) {
      const { status, inWork, retrying } = await each.status();
      expect(status).toBe('RUNNING');
      expect(inWork.length + retrying.length).toBeLessThanOrEqual(1);
    }
    await Promise.all(runs.map((each) => each.cancel()));
    await Promise.allSettled(runs.map((each) => each.result()));
  }, 120_000);

  test('71: a zombie attempt writes nothing that counts but what is true', async () => {
    const operator = await saga.addOperator({ machines: 4 });
    const { runId, loaded } = await bench.plan(operator, { documentTypes: [FEES] });
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    // The first attempt waits for its signatures until all others are through.
    let first = true;
    operator.bunker.setFaults(async ({ method }) => {
      if (method !== 'sign_event' || !first) return undefined;
      await released;
      return { error: 'denied' };
    });
    const zombie = bench.call('republishDocuments', { runId, page: 0 });
    await until(() => operator.bunker.requests.some(({ method }) => method === 'sign_event'));
    first = false;
    expect((await bench.call('republishDocuments', { runId, page: 0 })).counts.published).toBeGreaterThan(0);
    let open = 1;
    while (open > 0) open = (await bench.call('republishDocuments', { runId, page: 0 })).counts.open ?? 0;
    await bench.call('sweep', { runId });
    await bench.call('persistAudit', {
      runId,
      workflowId: 'w',
      request: { operatorUserId: operator.id },
      operatorPubkey: loaded.opened.operatorPubkey,
      documentTypes: [FEES],
      cancelled: false,
    });
    const before = await saga.ledger(runId);
    release();
    await zombie.catch(() => undefined);
    expect(await saga.ledger(runId)).toEqual(before);
    expect(await saga.audits(operator.id)).toMatchObject([{ outcome: 'complete' }]);
  }, 60_000);

  test('72: a save between our read and our seal, with another event standing a little ahead, is the newer one', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const [machine] = operator.machines;
    const tags = [['d', `${FEES}:${machine?.atmPubkey}`]];
    const nowS = Math.floor(Date.now() / 1000);
    await saga.publishAs(operator, nowS + 3, tags);
    let saved = '';
    operator.bunker.setFaults(async ({ method, params }) => {
      if (method !== 'nip44_encrypt' || saved !== '' || params[0] !== machine?.atmPubkey) return undefined;
      saved = 'asked';
      // LNbits writes, and publishes with the time of that moment: it has no rule of max(now, standing + 1).
      saved = (await saga.publishAs(operator, Math.floor(Date.now() / 1000), tags)).id;
      return undefined;
    });
    const { runId } = await bench.plan(operator, { documentTypes: [FEES] });
    await bench.call('republishDocuments', { runId, page: 0 });
    expect(saved).not.toBe('');
    for (const relay of saga.relays)
      expect(relay.events().find(({ pubkey }) => pubkey === operator.bunker.userPubkey)?.id).toBe(saved);
    expect((await saga.ledger(runId))[0]).toMatchObject({ outcome: 'superseded', supersededBy: saved });
  }, 60_000);

  test('77: skip, pause, cancel and retry act within seconds while a page is in its back-off', async () => {
    const operator = await saga.addOperator({ machines: 2 });
    const silence = (): void =>
      operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
    const patient = await startSaga();
    try {
      await patient.startWorker({
        env: {
          REPUBLISH_RETRY_INTERVAL_MS: '20000',
          REPUBLISH_BUNKER_TIMEOUT_MS: '2000',
          REPUBLISH_DOCUMENT_TIMEOUT_MS: '600000',
        },
      });
      const other = await patient.addOperator({ machines: 2 });
      other.bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
      silence();
      const run = await patient.start(other.id, { documentTypes: [FEES] });
      await until(async () => (await run.status()).retrying.length === 1, 30_000);
      const [first, second] = other.machines;
      expect(await run.skip({ machineId: first?.id ?? '' })).toBe(1);
      await run.pause();
      await run.resume();
      other.bunker.setFaults(undefined);
      await until(
        async () => (await run.status()).retrying.length === 1 || (await run.status()).status !== 'RUNNING',
        30_000,
      );
      await run.retry().catch(() => 0);
      const result = await run.result();
      expect(result[FEES]).toHaveLength(1);
      const rows = await patient.ledger(run.runId);
      expect(rows.find(({ machineId }) => machineId === first?.id)?.outcome).toBe('skipped');
      expect(rows.find(({ machineId }) => machineId === second?.id)?.outcome).toBe('published');
      // Nothing that counts as skipped stands anywhere.
      expect(
        patient.relays[0]?.events().filter(({ pubkey }) => pubkey === other.bunker.userPubkey),
      ).toHaveLength(1);

      other.bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
      const again = await patient.start(other.id, { documentTypes: [FEES], force: true });
      await until(async () => (await again.status()).retrying.length === 1, 30_000);
      await again.cancel();
      await expect(again.result()).rejects.toMatchObject({ type: 'Cancelled' });
    } finally {
      await patient.stop();
    }
  }, 120_000);

  test('78: one troubled document among 100 does not hold up the 99, and a page that yields often counts right', async () => {
    const operator = await saga.addOperator({ machines: 100, bunker: { answerDelayMs: 30, concurrency: 4 } });
    const hasty = startActivities(saga, {
      patience: { yieldAfterMs: 300 },
      env: {
        REPUBLISH_BUNKER_CONCURRENCY: '4',
        REPUBLISH_BUNKER_TIMEOUT_MS: '3000',
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000',
      },
    });
    const [troubled] = operator.machines;
    operator.bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' && params[0] === troubled?.atmPubkey ? { swallow: true } : undefined,
    );
    const { runId } = await hasty.plan(operator, { documentTypes: [FEES] });
    let attempts = 0;
    let published = 0;
    // A result that is lost on its way changes nothing: the next one is absolute.
    for (; published < 99; attempts += 1) {
      // As Temporal does it: an attempt in which nothing moved throws, and another one follows.
      const result = await hasty.call('republishDocuments', { runId, page: 0 }).catch(() => undefined);
      if (result === undefined) continue;
      const { counts } = result;
      published = counts.published ?? 0;
      // The troubled one may have failed for good before the last of the others is published.
      expect((counts.open ?? 0) + published + (counts.failed ?? 0)).toBe(100);
    }
    // The bunker alone takes five turns for 99 documents.
    expect(attempts).toBeGreaterThan(3);
    expect((await saga.ledger(runId)).filter(({ outcome }) => outcome === 'published')).toHaveLength(99);
    const signed = operator.bunker.requests.filter(({ method }) => method === 'sign_event');
    expect(new Set(signed.map(({ params }) => params[0])).size).toBe(99);
  }, 120_000);
});
