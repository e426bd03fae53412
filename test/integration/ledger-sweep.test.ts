import type { Database } from '../../database/connection';
import { documentsOfRun, type SealedEvent } from '../../database/ledger/documents';
import { sealDocument, settleGood } from '../../database/ledger/facts';
import { skipDocuments } from '../../database/ledger/interventions';
import { standingDocuments } from '../../database/ledger/standing';
import { beginSweep, noteStandingSkipped, settleSwept, signedDocuments } from '../../database/ledger/sweep';
import {
  attempt,
  good,
  type Key,
  OPERATOR,
  plannedRun,
  reused,
  rowOf,
  sealedEvent,
  signed,
  startLedger,
  type TestLedger,
  TYPE,
  endPage,
} from '../support/ledger';

let ledger: TestLedger;
let db: Database;

beforeAll(async () => {
  ledger = await startLedger();
  db = ledger.database;
});
afterAll(() => ledger.stop());

test('every signed document is swept, whatever became of it, page by page', async () => {
  const key = await plannedRun(db, [
    { machineId: 'm2' },
    { machineId: 'm10' },
    { machineId: 'm3' },
    { machineId: 'm4' },
    { page: 1, documentType: 'other', machineId: 'm1' },
    { page: 1, documentType: 'other', machineId: 'm2', outcome: 'skipped' },
  ]);
  const published = await signed(db, { ...key, machineId: 'm2' });
  await settleGood(db, key, [good({ machineId: 'm2' }, published)]);
  await reused(db, { ...key, machineId: 'm10' });
  await endPage(db, key, { type: 'ActivityTimeout', message: 'm' });
  // Sealed, and not signed.
  const late = await plannedRun(db);
  await sealDocument(db, late, { event: sealedEvent(), stateFingerprint: 'f', signature: null });
  await signed(db, { ...key, documentType: 'other', page: 1 });
  await skipDocuments(db, key.runId, { documentType: 'other' }, 'given up');

  const swept = [];
  let after: { page: number; machineId: string } | undefined;
  for (;;) {
    const part = await signedDocuments(db, key.runId, after, 2);
    if (part.length === 0) break;
    swept.push(...part);
    after = part.at(-1);
  }
  expect(swept.map(({ page, machineId, outcome, reused }) => [page, machineId, outcome, reused])).toEqual([
    [0, 'm10', 'failed', true],
    [0, 'm2', 'published', false],
    [1, 'm1', 'skipped', false],
  ]);
  expect(swept[1]).toMatchObject({
    documentType: TYPE,
    operatorPubkey: OPERATOR,
    atmPubkey: (await rowOf(db, { ...key, machineId: 'm2' })).atmPubkey,
    stateFingerprint: 'f',
    event: published,
    signature: 'sig',
  });
  expect(await signedDocuments(db, late.runId, undefined, 5)).toEqual([]);
});

describe('what a sweep finds', () => {
  const LOST = { outcome: 'failed', type: 'DocumentLost', message: 'gone' } as const;
  const START = ['published', 'unchanged', 'superseded', 'failed', 'skipped', 'open'] as const;

  /** m1 to m6: one document for each way in which it can have ended, all of them signed. */
  async function oneOfEach(): Promise<{ key: Key; events: SealedEvent[]; sweep: number }> {
    const key = await plannedRun(db, [{}, {}, {}, {}, {}, {}]);
    const events: SealedEvent[] = [];
    for (const [index, state] of START.entries()) {
      const machineId = `m${index + 1}`;
      const event = await reused(db, { ...key, machineId });
      events.push(event);
      if (state === 'published' || state === 'unchanged' || state === 'superseded')
        await settleGood(db, key, [good({ machineId }, event, { outcome: state })]);
      if (state === 'skipped') await skipDocuments(db, key.runId, { machineId }, 'given up');
    }
    const { holder } = await attempt(db, key);
    await db.query(
      "UPDATE republish.documents SET outcome = 'failed', failure_type = 'RelayRefused', written_by = $2 WHERE run_id = $1 AND machine_id = 'm4'",
      [key.runId, holder],
    );
    return { key, events, sweep: await beginSweep(db, key.runId) };
  }

  test.each([
    ['lost', LOST, ['failed', 'failed', 'failed', 'failed', 'skipped', null]],
    [
      'published',
      { outcome: 'published' },
      ['published', 'unchanged', 'superseded', 'published', 'skipped', null],
    ],
    [
      'unchanged',
      { outcome: 'unchanged' },
      ['published', 'unchanged', 'superseded', 'unchanged', 'skipped', null],
    ],
    [
      'superseded',
      { outcome: 'superseded', supersededBy: 'x' },
      ['superseded', 'superseded', 'superseded', 'superseded', 'skipped', null],
    ],
  ] as const)('%s: of each what the rules allow', async (_, finding, expected) => {
    const { key, events, sweep } = await oneOfEach();
    const found = events.map(({ id }, index) => ({
      documentType: TYPE,
      machineId: `m${index + 1}`,
      eventId: id,
      relays: { 'ws://late': { state: 'absent' } } as const,
      ...finding,
    }));
    await settleSwept(db, { runId: key.runId, sweep }, found);
    const rows = await documentsOfRun(db, key.runId);
    expect(rows.map(({ outcome }) => outcome)).toEqual(expected);
    // What has failed before keeps its reason; what stands has none.
    const reasons = rows.map(({ failureType }) => failureType);
    if (finding === LOST)
      expect(reasons.slice(0, 4)).toEqual(['DocumentLost', 'DocumentLost', 'DocumentLost', 'RelayRefused']);
    else expect(reasons.slice(0, 4)).toEqual([null, null, null, null]);
    if (finding !== LOST) expect(rows[3]?.relays).toEqual({ 'ws://late': { state: 'absent' } });
  });

  test('of another event than the one that is sealed changes nothing', async () => {
    const { key, sweep } = await oneOfEach();
    await settleSwept(db, { runId: key.runId, sweep }, [
      { documentType: TYPE, machineId: 'm1', eventId: sealedEvent().id, ...LOST },
    ]);
    expect((await rowOf(db, key)).outcome).toBe('published');
  });

  test('of a skipped document is said with it, once, by the newest sweep', async () => {
    const { key, sweep } = await oneOfEach();
    const note = [{ documentType: TYPE, machineId: 'm5', message: 'it stands on 2 relays' }];
    await noteStandingSkipped(db, { runId: key.runId, sweep: sweep - 1 }, note);
    await noteStandingSkipped(db, { runId: key.runId, sweep }, note);
    await noteStandingSkipped(db, { runId: key.runId, sweep }, note);
    expect(await rowOf(db, { ...key, machineId: 'm5' })).toMatchObject({
      outcome: 'skipped',
      failureMessage: 'given up; it stands on 2 relays',
    });
  });
});

test('a failure of a sweep waits for a newer sweep that is beginning, and does not count then', async () => {
  const key = await plannedRun(db);
  const event = await signed(db, key);
  await settleGood(db, key, [good(key, event)]);
  const sweep = await beginSweep(db, key.runId);
  let settling: Promise<void> | undefined;
  await db.transaction(async (client) => {
    await beginSweep(client, key.runId);
    settling = settleSwept(db, { runId: key.runId, sweep }, [
      {
        documentType: TYPE,
        machineId: 'm1',
        eventId: event.id,
        outcome: 'failed',
        type: 'DocumentLost',
        message: 'm',
      },
    ]);
    await ledger.untilSomebodyWaits();
  });
  await settling;
  expect((await rowOf(db, key)).outcome).toBe('published');
});

test('what stands at the addresses of a key: the newest of which a run has said so', async () => {
  const key = await plannedRun(db);
  const atmPubkey = (await rowOf(db, key)).atmPubkey ?? '';
  const event = await signed(db, key);
  expect(await standingDocuments(db, OPERATOR, [TYPE], [atmPubkey])).toEqual([]);
  await settleGood(db, key, [good(key, event)]);
  const failed = await plannedRun(db, [{ atmPubkey }]);
  await signed(db, failed, sealedEvent(event.created_at + 1));
  await endPage(db, failed, { type: 'ActivityTimeout', message: 'm' });
  expect(await standingDocuments(db, OPERATOR, [TYPE, 'other'], [atmPubkey])).toEqual([
    { runId: key.runId, documentType: TYPE, atmPubkey, eventId: event.id, createdAtS: event.created_at },
  ]);
});
