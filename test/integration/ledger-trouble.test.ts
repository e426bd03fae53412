import { type FailureType, typesWith } from '../../contract/failures';
import type { Database } from '../../database/connection';
import { keepSignature, sealDocument, settleGood } from '../../database/ledger/facts';
import { retryDocuments } from '../../database/ledger/interventions';
import { beginPage, pageState } from '../../database/ledger/page';
import { type Holder, noteTrouble, type Trouble } from '../../database/ledger/trouble';
import { clearTrouble } from '../../database/ledger/view';
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
} from '../support/ledger';

/**
 * Time, not attempts: a document is given up after three tries in vain, when its time is over by Postgres'
 * clock.
 */
let ledger: TestLedger;
let db: Database;

beforeAll(async () => {
  ledger = await startLedger();
  db = ledger.database;
});
afterAll(() => ledger.stop());

const TIMEOUT_MS = 60_000;
const passing = (machineId = 'm1'): Trouble => ({
  machineId,
  type: 'SignerTimeout',
  message: 'no answer',
  final: false,
});

/** As if the trouble had begun earlier. */
const begunEarlier = ({ runId }: Key, byMs: number) =>
  db.query(
    "UPDATE republish.documents SET trouble_since = trouble_since - make_interval(secs => $2::float8 / 1000) WHERE run_id = $1 AND machine_id = 'm1'",
    [runId, byMs],
  );

async function tried(holder: Holder, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await noteTrouble(db, holder, [passing()]);
}

test('the question rises with an answer that could not be used and with a retry, and with nothing else', async () => {
  const key = await plannedRun(db);
  const holder = await attempt(db, key, TIMEOUT_MS);
  const question = async (): Promise<number | undefined> =>
    (await beginPage(db, { runId: key.runId, page: holder.page }))?.documents[0]?.question;
  await noteTrouble(db, holder, [passing()]);
  expect(await question()).toBe(0);
  await noteTrouble(db, await attempt(db, key, TIMEOUT_MS), [
    { ...passing(), type: 'SignerBusy', isAnswered: true },
  ]);
  expect(await question()).toBe(1);
  await retryDocuments(db, key.runId, {});
  expect(await question()).toBe(2);
  await expect(
    db.query('UPDATE republish.documents SET question = 0 WHERE run_id = $1', [key.runId]),
  ).rejects.toThrow('the number of a question only rises');
});

test('many tries in a short time end no document', async () => {
  const key = await plannedRun(db);
  await tried(await attempt(db, key, TIMEOUT_MS), 9);
  expect(await rowOf(db, key)).toMatchObject({ outcome: null, tries: 9, failureType: 'SignerTimeout' });
});

test('a long time ends no document that was not tried three times, and none between two tries', async () => {
  const key = await plannedRun(db);
  const holder = await attempt(db, key, TIMEOUT_MS);
  await tried(holder, 1);
  await begunEarlier(key, 10 * TIMEOUT_MS);
  await tried(holder, 1);
  expect(await rowOf(db, key)).toMatchObject({ outcome: null, tries: 2 });
  expect((await pageState(db, key)).counts).toEqual({ open: 1 });
  await tried(holder, 1);
  expect(await rowOf(db, key)).toMatchObject({
    outcome: 'failed',
    tries: 3,
    failureType: 'SignerTimeout',
    failureMessage: 'no answer',
  });
});

test.each([
  [TIMEOUT_MS - 30_000, null],
  [TIMEOUT_MS + 5_000, 'failed'],
])('three tries, the first of them %i ms ago: %s', async (agoMs, outcome) => {
  const key = await plannedRun(db);
  const holder = await attempt(db, key, TIMEOUT_MS);
  await tried(holder, 2);
  await begunEarlier(key, agoMs);
  await tried(holder, 1);
  expect((await rowOf(db, key)).outcome).toBe(outcome);
});

test('the time and the tries are those of all attempts at the page', async () => {
  const key = await plannedRun(db);
  await tried(await attempt(db, key, TIMEOUT_MS), 2);
  await begunEarlier(key, TIMEOUT_MS);
  await tried(await attempt(db, key, TIMEOUT_MS), 1);
  expect((await rowOf(db, key)).outcome).toBe('failed');
});

/** As if another document of the run had been signed at that time before now. */
async function signedBefore(key: Key, agoMs: number, isReused = false): Promise<void> {
  const other = { ...key, machineId: 'm2' };
  await (isReused ? reused(db, other) : signed(db, other));
  await db.query(
    "UPDATE republish.documents SET signed_at = now() - make_interval(secs => $2::float8 / 1000) WHERE run_id = $1 AND machine_id = 'm2'",
    [key.runId, agoMs],
  );
}

const LETS_WAIT = typesWith('letsWait');

test.each<[FailureType, string, { agoMs: number; isReused?: boolean }, string | null]>([
  ...LETS_WAIT.flatMap((type): [FailureType, string, { agoMs: number }, string | null][] => [
    [type, 'has just signed another', { agoMs: 0 }, null],
    [type, 'has signed nothing for the time of a document', { agoMs: TIMEOUT_MS + 5_000 }, 'failed'],
  ]),
  ['SignerBusy', 'has signed nothing in this run', { agoMs: 0, isReused: true }, 'failed'],
  ['SignerTimeout', 'has just signed another', { agoMs: 0 }, 'failed'],
])(
  'the third %s long after the first, and the signer %s: %j, %s',
  async (type, _, { agoMs, isReused }, is) => {
    const key = await plannedRun(db, [{}, {}]);
    const holder = await attempt(db, key, TIMEOUT_MS);
    const trouble = { ...passing(), type };
    await noteTrouble(db, holder, [trouble]);
    await noteTrouble(db, holder, [trouble]);
    await begunEarlier(key, 10 * TIMEOUT_MS);
    await signedBefore(key, agoMs, isReused);
    await noteTrouble(db, holder, [trouble]);
    expect(await rowOf(db, key)).toMatchObject({ outcome: is, tries: 3, failureType: type });
  },
);

test('after a wait for the signer the time of another trouble counts from the newest signature, too', async () => {
  const key = await plannedRun(db, [{}, {}]);
  const holder = await attempt(db, key, TIMEOUT_MS);
  await noteTrouble(db, holder, [passing()]);
  await begunEarlier(key, 10 * TIMEOUT_MS);
  await signedBefore(key, 0);
  await noteTrouble(db, holder, [{ ...passing(), type: 'SignerBusy' }]);
  await tried(holder, 3);
  expect(await rowOf(db, key)).toMatchObject({ outcome: null, tries: 5 });
});

test('a final failure ends its document at once', async () => {
  const key = await plannedRun(db);
  await noteTrouble(db, await attempt(db, key, TIMEOUT_MS), [
    { ...passing(), final: true, sent: true, relays: { 'ws://r': { state: 'refused', detail: 'pow' } } },
  ]);
  expect(await rowOf(db, key)).toMatchObject({
    outcome: 'failed',
    relays: { 'ws://r': { state: 'refused', detail: 'pow' } },
  });
  expect((await pageState(db, key)).counts).toEqual({ failed: 1, sent: 1 });
});

const FACTS: [string, (key: Key) => Promise<unknown>][] = [
  [
    'a seal',
    (key) => sealDocument(db, key, { event: sealedEvent(), stateFingerprint: 'f', signature: null }),
  ],
  [
    'a signature',
    async (key) => {
      const event = sealedEvent();
      await sealDocument(db, key, { event, stateFingerprint: 'f', signature: null });
      await tried(await attempt(db, key), 3);
      await keepSignature(db, key, event.id, 's');
    },
  ],
  [
    'a good outcome',
    async (key) => {
      const event = await signed(db, key);
      await tried(await attempt(db, key), 3);
      await settleGood(db, key, [good(key, event)]);
    },
  ],
  ['a retry', (key) => retryDocuments(db, key.runId, {})],
  ['a resume', (key) => clearTrouble(db, key.runId)],
];

test.each(FACTS)('%s clears it: the time begins anew', async (_, fact) => {
  const key = await plannedRun(db);
  await tried(await attempt(db, key, TIMEOUT_MS), 2);
  await begunEarlier(key, TIMEOUT_MS);
  await fact(key);
  expect(await rowOf(db, key)).toMatchObject({ tries: 0, failureType: null, failureMessage: null });
  const [row] = await db.query('SELECT trouble_since AS since FROM republish.documents WHERE run_id = $1', [
    key.runId,
  ]);
  expect(row).toEqual({ since: null });
});

test('of many: each its own, and those that were tried the least come first in the next attempt', async () => {
  const key = await plannedRun(db, [{}, {}, {}, {}]);
  const holder = await attempt(db, key, TIMEOUT_MS);
  await noteTrouble(db, holder, [passing('m1'), passing('m2'), { ...passing('m4'), final: true }]);
  await noteTrouble(db, holder, [{ ...passing('m1'), type: 'SignerUnreachable', message: 'away' }]);
  expect((await beginPage(db, key))?.documents.map(({ machineId, tries }) => [machineId, tries])).toEqual([
    ['m3', 0],
    ['m2', 1],
    ['m1', 2],
  ]);
  const state = await pageState(db, key);
  expect(state).toMatchObject({ counts: { open: 3, failed: 1 }, leastTries: 0 });
  const since = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
  expect(state.waiting).toEqual([
    { ...named('m1'), why: 'SignerUnreachable: away', type: 'SignerUnreachable', tries: 2, since },
    { ...named('m2'), why: 'SignerTimeout: no answer', type: 'SignerTimeout', tries: 1, since },
  ]);
  expect(state.failures).toEqual([{ ...named('m4'), type: 'SignerTimeout', message: 'no answer' }]);
  await noteTrouble(db, await attempt(db, key), [passing('m1'), passing('m2'), passing('m3')]);
  expect((await pageState(db, key)).leastTries).toBe(1);

  function named(machineId: string) {
    return { documentType: key.documentType, machineId, machineName: 'M' };
  }
});

test('a document of another page, and one that has ended, are left alone', async () => {
  const key = await plannedRun(db, [{}, { page: 1 }, { outcome: 'skipped' }]);
  await noteTrouble(db, await attempt(db, key), [
    { ...passing('m2'), final: true },
    { ...passing('m3'), final: true },
  ]);
  expect(await rowOf(db, { ...key, machineId: 'm2' })).toMatchObject({ outcome: null, tries: 0 });
  expect(await rowOf(db, { ...key, machineId: 'm3' })).toMatchObject({ outcome: 'skipped', tries: 0 });
});

test('an attempt that begins waits for the failure that is being written, and sees it', async () => {
  const key = await plannedRun(db);
  const holder = await attempt(db, key);
  let beginning: ReturnType<typeof beginPage> | undefined;
  await db.transaction(async (client) => {
    await noteTrouble(client, holder, [{ ...passing(), final: true }]);
    beginning = beginPage(db, key);
    await ledger.untilSomebodyWaits();
  });
  expect((await beginning)?.documents).toEqual([]);
});

test('a failure waits for the attempt that is beginning, and does not count then', async () => {
  const key = await plannedRun(db);
  const holder = await attempt(db, key);
  let noting: Promise<void> | undefined;
  await db.transaction(async (client) => {
    await beginPage(client, key);
    noting = noteTrouble(db, holder, [{ ...passing(), final: true }]);
    await ledger.untilSomebodyWaits();
  });
  await noting;
  expect(await rowOf(db, key)).toMatchObject({ outcome: null, tries: 0 });
  expect(ledger.repeats()).toBe(0);
});
