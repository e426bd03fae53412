import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { HeartbeatDetails } from '../../contract/activities';
import { generateSecretKey, getPublicKey } from '../../nostr/keys';
import { type ActivityBench, activityEnvironment, startActivities } from '../support/activities';
import { fails } from '../support/fails';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

const FEES = 'bitspire-fees';
const CASSETTES = 'bitspire-cassettes';
/** As one block of machines has them. */
const PAGE = { [CASSETTES]: 0, [FEES]: 1 };
const LONG_TURN = { yieldAfterMs: 60_000 };
/** Longer than a test may take: nothing that it sees has waited for the end of that time. */
const NEVER = { REPUBLISH_BUNKER_TIMEOUT_MS: '120000' };

/** What an attempt at a page does, leaves, and does the second time, on the real parts. */
describe('a page', () => {
  let saga: Saga;
  let bench: ActivityBench;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    // A busy machine reaches neither the time of a relay nor the end of a turn.
    Object.assign(saga.env, { REPUBLISH_RELAY_TIMEOUT_MS: '20000' });
    bench = startActivities(saga, { patience: LONG_TURN });
  });
  afterAll(() => saga.stop());

  const republish = (runId: string, page: number) => bench.call('republishDocuments', { runId, page });

  const asked = ({ bunker }: SagaOperator, method: string): number =>
    bunker.requests.filter((request) => request.method === method).length;

  async function setFee(machineId: string | undefined, fraction: number): Promise<void> {
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = $2 WHERE id = $1',
      [machineId, fraction],
    );
  }

  /** Signs through the bunker and publishes to every relay, past us. */
  const publishAs = (...asked: Parameters<Saga['publishAs']>): ReturnType<Saga['publishAs']> =>
    saga.publishAs(...asked);

  test('leaves a fact behind each step, and a second attempt asks for nothing again', async () => {
    const operator = await saga.addOperator({ machines: 3 });
    const { runId } = await bench.plan(operator);
    const counts = { published: 3, encrypted: 3, signed: 3, sent: 3, standing: 3 };
    expect(await republish(runId, PAGE[FEES])).toEqual({ counts, stood: true });
    const requests = operator.bunker.requests.length;
    const fact = await bench.row(runId, FEES, operator.machines[0]?.id);
    expect(fact).toMatchObject({
      outcome: 'published',
      event: { id: expect.stringMatching(/^[0-9a-f]{64}$/) },
      signature: expect.stringMatching(/^[0-9a-f]{128}$/),
    });
    // A relay that is slow to show it is not waited for, once a quorum holds it.
    expect(Object.keys(fact.relays).sort()).toEqual(saga.relays.map(({ url }) => url).sort());
    expect(Object.values(fact.relays).filter(({ state }) => state === 'holds').length).toBeGreaterThan(1);
    expect(await republish(runId, PAGE[FEES])).toEqual({ counts });
    expect(operator.bunker.requests.length).toBe(requests);
  });

  test('goes on behind the seal of an attempt that died', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await bench.plan(operator);
    const [machine] = operator.machines;
    operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
    // It has come further: the page is given out again without a pause.
    const sealed = await republish(runId, PAGE[FEES]);
    expect(sealed).toMatchObject({
      counts: { open: 1, encrypted: 1 },
      waiting: [{ why: expect.stringContaining('sign_event') as string }],
    });
    const id = (await bench.row(runId, FEES, machine?.id)).event?.id;
    // Nothing but trouble is left, so that Temporal waits before the next attempt.
    const failure = await fails(ApplicationFailure, republish(runId, PAGE[FEES]));
    expect(failure).toMatchObject({ type: 'SignerTimeout', nonRetryable: false });
    expect(failure.nextRetryDelay).toBeDefined();

    operator.bunker.setFaults(undefined);
    const encrypted = asked(operator, 'nip44_encrypt');
    // Another worker: this one would not ask a person again so soon.
    const another = startActivities(saga, { patience: LONG_TURN });
    const { counts } = await another.call('republishDocuments', { runId, page: PAGE[FEES] });
    expect(counts).toMatchObject({ published: 1 });
    expect((await bench.row(runId, FEES, machine?.id)).event?.id).toBe(id);
    expect(asked(operator, 'nip44_encrypt')).toBe(encrypted);
  }, 60_000);

  test('two attempts at once, as a worker that was taken for dead makes them, end in one event', async () => {
    const operator = await saga.addOperator({ machines: 4, bunker: { answerDelayMs: 50 } });
    const { runId } = await bench.plan(operator);
    const results = await Promise.all(Array.from({ length: 4 }, () => republish(runId, PAGE[CASSETTES])));
    expect(results.at(-1)?.counts).toMatchObject({ published: 4 });
    const rows = (await saga.ledger(runId)).filter(({ documentType }) => documentType === CASSETTES);
    const sealed = rows.map(({ event }) => event?.id ?? '').sort();
    for (const relay of saga.relays) {
      const stored = (): string[] =>
        relay.events().flatMap(({ id, pubkey }) => (pubkey === operator.bunker.userPubkey ? [id] : []));
      // The slowest relay is not waited for.
      await until(() => stored().length >= sealed.length);
      expect(stored().sort()).toEqual(sealed);
    }
  });

  test('a newer event of the operator at the address supersedes ours: theirs stands', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const { runId } = await bench.plan(operator);
    const [machine] = operator.machines;
    let theirs = '';
    // The operator saves a change between our seal and our signature: LNbits publishes it with a later date.
    operator.bunker.setFaults(async ({ method, params }) => {
      if (method !== 'sign_event' || theirs !== '') return undefined;
      const ours = JSON.parse(params[0] ?? '') as { created_at: number; tags: string[][] };
      theirs = 'asked';
      theirs = (await publishAs(operator, ours.created_at + 5, ours.tags)).id;
      return undefined;
    });
    expect((await republish(runId, PAGE[FEES])).counts).toMatchObject({ superseded: 1, standing: 1 });
    expect(await bench.row(runId, FEES, machine?.id)).toMatchObject({
      outcome: 'superseded',
      supersededBy: theirs,
    });
    expect(
      saga.relays[0]
        ?.events()
        .filter(({ pubkey }) => pubkey === operator.bunker.userPubkey)
        .map(({ id }) => id),
    ).toEqual([theirs]);
  });

  test('what stands a little ahead is waited for, further ahead dated behind, and from the future refused', async () => {
    const operator = await saga.addOperator({ machines: 3 });
    const nowS = Math.floor(Date.now() / 1000);
    const [near, ahead, far] = operator.machines;
    const at = (atmPubkey: string | undefined): string[][] => [['d', `${FEES}:${atmPubkey}`]];
    await publishAs(operator, nowS + 3, at(near?.atmPubkey));
    await publishAs(operator, nowS + 300, at(ahead?.atmPubkey));
    await publishAs(operator, nowS + 1_800, at(far?.atmPubkey));
    const { runId } = await bench.plan(operator);
    const result = await republish(runId, PAGE[FEES]);
    expect(result).toMatchObject({
      counts: { published: 2, failed: 1 },
      failures: [{ machineId: far?.id, type: 'NewerDocumentExists' }],
    });
    const waited = (await bench.row(runId, FEES, near?.id)).event?.created_at ?? 0;
    expect(waited).toBeGreaterThan(nowS + 3);
    // Never ahead of the moment in which its state was read: a save of the next second is the newer one.
    expect(waited).toBeLessThan(Math.floor(Date.now() / 1000));
    expect((await bench.row(runId, FEES, ahead?.id)).event?.created_at).toBe(nowS + 301);
  });

  test('a state that is changed between seal and signature ends as StateChanged, and nothing of it is signed', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const [machine] = operator.machines;
    const { runId } = await bench.plan(operator);
    operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { swallow: true } : undefined));
    await republish(runId, PAGE[FEES]);
    operator.bunker.setFaults(undefined);
    await setFee(machine?.id, 0.0444);
    const signed = asked(operator, 'sign_event');
    expect(await republish(runId, PAGE[FEES])).toMatchObject({
      counts: { failed: 1 },
      failures: [{ type: 'StateChanged' }],
    });
    expect(asked(operator, 'sign_event')).toBe(signed);
  }, 60_000);

  test('a state that is saved while the signer encrypts for long is the one that is sent', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const [machine] = operator.machines;
    const impatient = startActivities(saga, { patience: { ...LONG_TURN, freshMs: 200 } });
    const { runId } = await impatient.plan(operator);
    let encryptions = 0;
    operator.bunker.setFaults(async ({ method }) => {
      if (method !== 'nip44_encrypt') return undefined;
      encryptions += 1;
      if (encryptions > 1) return undefined;
      await setFee(machine?.id, 0.0555);
      return { delayMs: 1_200 };
    });
    const result = await impatient.call('republishDocuments', { runId, page: PAGE[FEES] });
    expect(result.counts).toMatchObject({ published: 1 });
    expect(encryptions).toBe(2);
    // Nothing has changed after what was read last.
    expect(await impatient.call('sweep', { runId })).toMatchObject({
      swept: false,
      pages: [[0, { open: 1 }]],
    });
  });

  describe('whose plan is out of date', () => {
    test('a machine that has another key by now ends by name', async () => {
      const operator = await saga.addOperator({ machines: 2 });
      const [moved] = operator.machines;
      const { runId } = await bench.plan(operator);
      await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = $2 WHERE id = $1', [
        moved?.id,
        getPublicKey(generateSecretKey()),
      ]);
      expect(await republish(runId, PAGE[FEES])).toMatchObject({
        counts: { published: 1, failed: 1 },
        failures: [{ machineId: moved?.id, type: 'PlanOutdated' }],
      });
    });

    test('so does one that belongs to somebody else: the old owner sends it nothing', async () => {
      const operator = await saga.addOperator({ machines: 2 });
      const [sold] = operator.machines;
      const { runId } = await bench.plan(operator);
      await saga.database.query(
        "UPDATE spirekeeper.dca_machines SET operator_user_id = 'else' WHERE id = $1",
        [sold?.id],
      );
      expect(await republish(runId, PAGE[FEES])).toMatchObject({
        failures: [{ machineId: sold?.id, type: 'PlanOutdated' }],
      });
      const sent = saga.relays
        .flatMap((relay) => relay.events())
        .filter(({ tags }) => tags.some(([name, value]) => name === 'p' && value === sold?.atmPubkey));
      expect(sent).toEqual([]);
    });

    test('an account with another key ends all of its documents', async () => {
      const operator = await saga.addOperator({ machines: 2 });
      const { runId } = await bench.plan(operator);
      await saga.database.query('UPDATE accounts SET pubkey = $2 WHERE id = $1', [
        operator.id,
        getPublicKey(generateSecretKey()),
      ]);
      const result = await republish(runId, PAGE[FEES]);
      expect(result).toMatchObject({ counts: { failed: 2 }, failures: [{ type: 'PlanOutdated' }, {}] });
      expect(asked(operator, 'sign_event')).toBe(0);
    });
  });

  test('an unproven signer is asked for nothing', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const before = operator.bunker.requests.length;
    const { runId } = await bench.plan(operator, {}, { prove: false });
    expect(await republish(runId, PAGE[FEES])).toEqual({ counts: { open: 1 }, unproven: true });
    expect(operator.bunker.requests.length).toBe(before);
  });

  test('one troubled document does not hold up the others', async () => {
    const operator = await saga.addOperator({ machines: 5 });
    const [troubled] = operator.machines;
    const { runId } = await bench.plan(operator);
    operator.bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' && params[0] === troubled?.atmPubkey ? { swallow: true } : undefined,
    );
    expect(await republish(runId, PAGE[FEES])).toMatchObject({
      counts: { published: 4, open: 1 },
      waiting: [{ machineId: troubled?.id, tries: 1 }],
    });
  }, 60_000);

  test('a signature that does not come does not hold up what is signed: that is settled meanwhile', async () => {
    const operator = await saga.addOperator({ machines: 6 });
    const { runId } = await bench.plan(operator);
    let heard = 0;
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    operator.bunker.setFaults(async ({ method }) => {
      if (method === 'sign_event' && (heard += 1) === 4) await answered;
      return undefined;
    });
    const patient = startActivities(saga, { env: NEVER, patience: LONG_TURN });
    const page = patient.call('republishDocuments', { runId, page: PAGE[FEES] });
    await until(
      async () => (await saga.ledger(runId)).filter((row) => row.outcome === 'published').length === 5,
    );
    answer();
    expect((await page).counts).toMatchObject({ published: 6 });
    expect(asked(operator, 'sign_event')).toBe(6);
  }, 60_000);

  test('a signer that answers nobody is the trouble of all, asked for a few of them', async () => {
    const operator = await saga.addOperator({ machines: 20 });
    const { runId } = await bench.plan(operator);
    operator.bunker.setFaults(() => ({ swallow: true }));
    const before = operator.bunker.requests.length;
    const impatient = startActivities(saga, {
      env: { REPUBLISH_BUNKER_TIMEOUT_MS: '3000' },
      patience: LONG_TURN,
    });
    const page = impatient.call('republishDocuments', { runId, page: PAGE[FEES] });
    const failure = await fails(ApplicationFailure, page);
    expect(failure).toMatchObject({
      type: 'SignerTimeout',
      message: expect.stringContaining('20 documents'),
    });
    // Each request may have been sent twice. A third one may get the place of the second.
    const encryptions = operator.bunker.requests
      .slice(before)
      .filter(({ method }) => method === 'nip44_encrypt');
    expect(new Set(encryptions.map(({ id }) => id)).size).toBeLessThanOrEqual(3);
  }, 60_000);

  test('a busy signer: the page pauses, and the documents that were not asked for wait and have had no try', async () => {
    const operator = await saga.addOperator({ machines: 6 });
    const { runId } = await bench.plan(operator);
    operator.bunker.setFaults(({ method }) =>
      method === 'nip44_encrypt' ? { error: 'rate limited' } : undefined,
    );
    const before = asked(operator, 'nip44_encrypt');
    // After the first refusal another document is asked for, without a pause: perhaps only one is refused.
    expect((await republish(runId, PAGE[FEES])).counts).toMatchObject({ open: 6 });
    const environment = activityEnvironment();
    const shown: HeartbeatDetails[] = [];
    environment.on('heartbeat', (details: HeartbeatDetails) => shown.push(details));
    const again = bench.call('republishDocuments', { runId, page: PAGE[FEES] }, environment);
    expect(await fails(ApplicationFailure, again)).toMatchObject({ type: 'SignerBusy' });
    const rows = (await saga.ledger(runId)).filter(({ documentType }) => documentType === FEES);
    const tries = rows.reduce((sum, row) => sum + row.tries, 0);
    expect(tries).toBe(asked(operator, 'nip44_encrypt') - before);
    expect(rows.some((row) => row.tries === 0 && row.failureType === null)).toBe(true);
    // All are shown.
    expect(shown.at(-1)?.waiting).toHaveLength(6);
    expect(shown.at(-1)?.waiting?.map(({ why }) => why)).toContainEqual(
      expect.stringMatching(/^waits for its turn at the signer: .*rate limited/),
    );
  });

  test('a page whose documents all fail for the signer says so: others would, too', async () => {
    const operator = await saga.addOperator({ machines: 2 });
    const { runId } = await bench.plan(operator);
    operator.bunker.setFaults(() => ({ error: 'denied' }));
    expect(await republish(runId, PAGE[FEES])).toMatchObject({
      counts: { failed: 2 },
      cause: { type: 'SignerRefused' },
    });
  });

  test('yields: it begins no further document, waits for what was asked, and tells how far it is', async () => {
    const operator = await saga.addOperator({ machines: 12, bunker: { answerDelayMs: 300 } });
    const hasty = startActivities(saga, {
      patience: { yieldAfterMs: 1_500 },
      env: { REPUBLISH_BUNKER_CONCURRENCY: '2' },
    });
    const { runId } = await hasty.plan(operator);
    let attempts = 0;
    let open = 12;
    let steps = 0;
    let furtherBy = 0;
    for (; open > 0 && attempts < 40; attempts += 1) {
      const { counts } = await hasty.call('republishDocuments', { runId, page: PAGE[FEES] });
      // Each attempt comes further, if only by a seal; one that got no CPU in its turn may not.
      const { encrypted = 0, signed = 0, standing = 0 } = counts;
      if (encrypted + signed + standing > steps) furtherBy += 1;
      expect(encrypted + signed + standing).toBeGreaterThanOrEqual(steps);
      steps = encrypted + signed + standing;
      open = counts.open ?? 0;
    }
    expect(open).toBe(0);
    expect(attempts).toBeGreaterThan(1);
    expect(furtherBy).toBeGreaterThan(attempts / 2);
    // Whatever was begun is finished or left before it was asked: nothing is asked twice.
    expect(asked(operator, 'sign_event')).toBe(12);
  }, 60_000);

  test('a cancellation means: end now. What is signed is finished, the rest stays open', async () => {
    const operator = await saga.addOperator({ machines: 6 });
    const { runId } = await bench.plan(operator);
    const environment = activityEnvironment();
    let signatures = 0;
    operator.bunker.setFaults(({ method }) => {
      if (method !== 'sign_event') return undefined;
      signatures += 1;
      if (signatures <= 2) return undefined;
      // Not before the first two have come here: what the bunker has only sent is not signed yet.
      if (signatures === 3)
        void until(
          async () => (await saga.ledger(runId)).filter(({ signature }) => signature !== null).length >= 2,
        ).then(() => environment.cancel());
      return { swallow: true };
    });
    const patient = startActivities(saga, { env: NEVER, patience: LONG_TURN });
    const result = await patient
      .call('republishDocuments', { runId, page: PAGE[FEES] }, environment)
      .catch((error: unknown) => error);
    expect(result).not.toBeInstanceOf(CancelledFailure);
    expect(result).toMatchObject({ counts: { published: 2, open: 4 } });
    // Before the bunker's time was over, or the page would say that it waits for the bunker.
    expect(result).not.toHaveProperty('waiting');
  }, 60_000);

  test('a reused event that relays refuse for good is sealed anew, once', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const [machine] = operator.machines;
    const first = await bench.plan(operator, { documentTypes: [FEES] });
    await republish(first.runId, 0);
    const old = (await bench.row(first.runId, FEES, machine?.id)).event;
    await bench.call('sweep', { runId: first.runId });
    // Gone from the relays, which will not take it again.
    for (const relay of saga.relays) relay.forget(old?.id ?? '');
    const second = await bench.plan(operator, { documentTypes: [FEES] });
    expect(second.loaded.toSign).toBe(0);
    const result = await republish(second.runId, 0);
    expect(result.counts).toMatchObject({ published: 1 });
    const anew = await bench.row(second.runId, FEES, machine?.id);
    expect(anew).toMatchObject({ reused: false, resealed: true });
    expect(anew.event?.id).not.toBe(old?.id);
  });

  test('settlePage looks at what is signed first, fails the rest, and takes the page away from attempts that live on', async () => {
    const operator = await saga.addOperator({ machines: 3 });
    const { runId } = await bench.plan(operator);
    let signatures = 0;
    operator.bunker.setFaults(({ method }) =>
      method === 'sign_event' && (signatures += 1) > 1 ? { swallow: true } : undefined,
    );
    const patient = startActivities(saga, { env: NEVER, patience: LONG_TURN });
    const environment = activityEnvironment();
    const zombie = patient.call('republishDocuments', { runId, page: PAGE[FEES] }, environment);
    await until(
      async () => signatures > 1 && (await saga.ledger(runId)).some(({ signature }) => signature !== null),
    );
    const failure = { type: 'ActivityTimeout' as const, message: 'the step ran into its time-out' };
    const settled = await bench.call('settlePage', { runId, page: PAGE[FEES], failure });
    expect(settled.counts).toMatchObject({ published: 1, failed: 2 });
    environment.cancel();
    await zombie.catch(() => undefined);
    const rows = (await saga.ledger(runId)).filter(({ documentType }) => documentType === FEES);
    expect(rows.map(({ failureType }) => failureType).sort()).toEqual([
      'ActivityTimeout',
      'ActivityTimeout',
      null,
    ]);
  }, 60_000);
});
