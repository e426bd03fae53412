import type { Database } from '../../database/connection';
import { keepSignature, sealDocument, settleGood } from '../../database/ledger/facts';
import { planBadRowsAgain, retryDocuments, skipDocuments } from '../../database/ledger/interventions';
import { beginSweep, settleSwept } from '../../database/ledger/sweep';
import { noteTrouble } from '../../database/ledger/trouble';
import {
  attempt,
  good,
  type Key,
  plannedRun,
  reused,
  rowOf,
  sealedEvent,
  signed,
  startLedger,
  type TestLedger,
  endPage,
  planned,
} from '../support/ledger';

/**
 * Row 71 of the faults: an attempt whose heartbeat was lost lives on, and what it writes comes late. Its
 * facts count, its failures do not; that nothing counts after the close is in ledger-close.test.ts.
 */
let ledger: TestLedger;
let db: Database;

beforeAll(async () => {
  ledger = await startLedger();
  db = ledger.database;
});
afterAll(async () => {
  // The locks are taken in one order: nothing here has waited for each other.
  expect(ledger.repeats()).toBe(0);
  await ledger.stop();
});

const FAILURE = { type: 'ActivityTimeout', message: 'silent' } as const;
const trouble = (final: boolean) =>
  ({ machineId: 'm1', type: 'SignerTimeout', message: 'from the grave', final }) as const;

/** What overtakes an attempt. */
const OVERTAKINGS: [string, (key: Key) => Promise<unknown>][] = [
  ['another attempt has begun', (key) => attempt(db, key)],
  ['somebody has asked for a retry', (key) => retryDocuments(db, key.runId, {})],
  [
    'the page was settled after a time-out, and retried',
    async (key) => {
      await endPage(db, key, FAILURE);
      // Without an event only a new plan opens it.
      await planBadRowsAgain(db, key.runId, [planned({ machineId: 'm1' })]);
      await retryDocuments(db, key.runId, {});
    },
  ],
];

describe.each(OVERTAKINGS)('when %s', (_, overtake) => {
  test.each([true, false])('a late failure does not count (final: %s)', async (final) => {
    const key = await plannedRun(db);
    const zombie = await attempt(db, key, 0);
    await overtake(key);
    for (let tries = 0; tries < 4; tries += 1) await noteTrouble(db, zombie, [trouble(final)]);
    expect(await rowOf(db, key)).toMatchObject({ outcome: null, failureType: null, tries: 0 });
  });

  test('a late seal, signature and outcome count', async () => {
    const key = await plannedRun(db);
    await attempt(db, key);
    await overtake(key);
    const event = await signed(db, key);
    expect(await settleGood(db, key, [good(key, event)])).toEqual(new Map([['m1', 'published']]));
  });
});

test('a good outcome replaces the failure of a time-out; another failure does not', async () => {
  const key = await plannedRun(db);
  const zombie = await attempt(db, key);
  const event = await signed(db, key);
  await endPage(db, key, FAILURE);
  await noteTrouble(db, zombie, [trouble(true)]);
  expect(await rowOf(db, key)).toMatchObject({ outcome: 'failed', failureType: 'ActivityTimeout' });
  await settleGood(db, key, [good(key, event)]);
  expect(await rowOf(db, key)).toMatchObject({ outcome: 'published', failureType: null });
  await endPage(db, key, FAILURE);
  expect(await rowOf(db, key)).toMatchObject({ outcome: 'published', failureType: null });
});

test('seal and signature come too late for a page that was settled', async () => {
  const key = await plannedRun(db, [{}, {}]);
  const other = { ...key, machineId: 'm2' };
  const event = sealedEvent();
  await sealDocument(db, key, { event, stateFingerprint: 'f', signature: null });
  await endPage(db, key, FAILURE);
  expect(await keepSignature(db, key, event.id, 's')).toEqual({ signature: null, outcome: 'failed' });
  expect(
    await sealDocument(db, other, { event: sealedEvent(), stateFingerprint: 'f', signature: null }),
  ).toMatchObject({ event: null, outcome: 'failed' });
});

test('what was skipped stays skipped', async () => {
  const key = await plannedRun(db);
  const zombie = await attempt(db, key);
  const event = await signed(db, key);
  expect(await skipDocuments(db, key.runId, { machineId: 'm1' }, 'given up')).toBe(1);
  expect(await settleGood(db, key, [good(key, event)])).toEqual(new Map([['m1', 'skipped']]));
  await noteTrouble(db, zombie, [trouble(true)]);
  await endPage(db, key, FAILURE);
  expect(await rowOf(db, key)).toMatchObject({ outcome: 'skipped', failureType: 'GivenUp' });
});

test('after another seal nothing is written of the event that it replaced', async () => {
  const key = await plannedRun(db);
  const refused = await reused(db, key);
  const replacement = sealedEvent(1_700_000_001);
  await sealDocument(db, key, {
    event: replacement,
    stateFingerprint: 'f',
    signature: null,
    replaces: refused.id,
  });
  expect(await keepSignature(db, key, refused.id, 'late')).toBeUndefined();
  expect(await settleGood(db, key, [good(key, refused)])).toEqual(new Map([['m1', null]]));
  const late = { event: sealedEvent(1_700_000_002), stateFingerprint: 'f', signature: null };
  expect(await sealDocument(db, key, { ...late, replaces: refused.id })).toMatchObject({
    event: { id: replacement.id },
  });
  expect(await rowOf(db, key)).toMatchObject({ event: { id: replacement.id }, signature: null });
});

test('a sweep that was overtaken says of no document that it is lost, and what it has found counts', async () => {
  const key = await plannedRun(db);
  const { runId, documentType } = key;
  const event = await signed(db, key);
  await settleGood(db, key, [good(key, event)]);
  const [late, newest] = [await beginSweep(db, runId), await beginSweep(db, runId)];
  const lost = { documentType, machineId: 'm1', eventId: event.id, outcome: 'failed' } as const;
  await settleSwept(db, { runId, sweep: late }, [{ ...lost, type: 'DocumentLost', message: 'm' }]);
  expect((await rowOf(db, key)).outcome).toBe('published');
  await settleSwept(db, { runId, sweep: newest }, [{ ...lost, type: 'DocumentLost', message: 'm' }]);
  expect(await rowOf(db, key)).toMatchObject({ outcome: 'failed', failureType: 'DocumentLost' });
  await settleSwept(db, { runId, sweep: late }, [{ ...lost, outcome: 'published' }]);
  expect(await rowOf(db, key)).toMatchObject({ outcome: 'published', failureType: null });
});
