import type { Database, Writable } from '../../database/connection';
import { documentsOfRun } from '../../database/ledger/documents';
import {
  failUnsettledDocuments,
  lockRun,
  outcomesOfRun,
  closeRun,
  type Reasons,
} from '../../database/ledger/closing';
import { keepSignature, noteSent, sealDocument, settleGood } from '../../database/ledger/facts';
import { retryDocuments, skipDocuments } from '../../database/ledger/interventions';
import { beginPage } from '../../database/ledger/page';
import { planDocuments } from '../../database/ledger/plan';
import { keepProof } from '../../database/ledger/proofs';
import { openRun, runOf } from '../../database/ledger/runs';
import { beginSweep, noteStandingSkipped, settleSwept } from '../../database/ledger/sweep';
import { noteTrouble } from '../../database/ledger/trouble';
import { clearTrouble } from '../../database/ledger/view';
import {
  attempt,
  close,
  good,
  type Key,
  OPERATOR,
  planned,
  plannedRun,
  sealedEvent,
  signed,
  startLedger,
  type TestLedger,
  endPage,
} from '../support/ledger';

let ledger: TestLedger;
let database: Database;

beforeAll(async () => {
  ledger = await startLedger();
  database = ledger.database;
});
afterAll(() => ledger.stop());

/** A run, and all that a worker may know of it. */
interface Known {
  key: Key;
  /** Of m1, which is signed, and meets with trouble. */
  event: Awaited<ReturnType<typeof signed>>;
  /** Of m3, which is published. m2 is skipped. */
  published: Awaited<ReturnType<typeof signed>>;
  /** Of m4, which is sealed. */
  sealed: Awaited<ReturnType<typeof signed>>;
  holder: Awaited<ReturnType<typeof attempt>>;
  sweep: number;
}

const TROUBLE = { machineId: 'm1', type: 'SignerTimeout', message: 'late' } as const;

async function aRun(): Promise<Known> {
  const key = await plannedRun(database, [
    {},
    { outcome: 'skipped', failureMessage: 'no state' },
    {},
    {},
    {},
  ]);
  const published = await signed(database, { ...key, machineId: 'm3' });
  await settleGood(database, key, [good({ machineId: 'm3' }, published)]);
  const event = await signed(database, key);
  const sealed = sealedEvent();
  const seal = { event: sealed, stateFingerprint: 'f', signature: null };
  await sealDocument(database, { ...key, machineId: 'm4' }, seal);
  const holder = await attempt(database, key);
  await noteTrouble(database, holder, [{ ...TROUBLE, final: false }]);
  return { key, event, published, sealed, holder, sweep: await beginSweep(database, key.runId) };
}

/** Everything that a worker writes of a run. */
const WRITES: [string, (db: Writable, known: Known) => Promise<unknown>][] = [
  [
    'a seal',
    (db, { key, event }) =>
      sealDocument(db, { ...key, machineId: 'm5' }, { event, stateFingerprint: 'g', signature: null }),
  ],
  ['a signature', (db, { key, sealed }) => keepSignature(db, { ...key, machineId: 'm4' }, sealed.id, 'late')],
  ['a sending', (db, { key }) => noteSent(db, key, ['m1'])],
  ['a good outcome', (db, { key, event }) => settleGood(db, key, [good(key, event)])],
  ['a failure', (db, { holder }) => noteTrouble(db, holder, [{ ...TROUBLE, final: true }])],
  ['an attempt', (db, { key }) => beginPage(db, key)],
  ['a settling', (db, { key }) => endPage(db, key, { type: 'ActivityTimeout', message: 'm' })],
  ['a retry', (db, { key }) => retryDocuments(db, key.runId, {})],
  ['a skip', (db, { key }) => skipDocuments(db, key.runId, {}, 'm')],
  ['a resume', (db, { key }) => clearTrouble(db, key.runId)],
  ['a proof', (db, { key }) => keepProof(db, key.runId, 'late')],
  [
    'a plan',
    (db, { key }) =>
      planDocuments(db, { ...key, operatorPubkey: OPERATOR }, [
        planned({ page: 9, machineId: 'm9', outcome: 'skipped' }),
      ]),
  ],
  [
    'a finding of the sweep',
    (db, { key: { runId, documentType }, published, sweep }) =>
      settleSwept(db, { runId, sweep }, [
        {
          documentType,
          machineId: 'm3',
          eventId: published.id,
          outcome: 'failed',
          type: 'DocumentLost',
          message: 'm',
        },
      ]),
  ],
  [
    'a note of the sweep',
    (db, { key: { runId, documentType }, sweep }) =>
      noteStandingSkipped(db, { runId, sweep }, [{ documentType, machineId: 'm2', message: 'stands' }]),
  ],
];

async function contents({ runId }: Key): Promise<string[]> {
  const rows = await database.query<{ row: string }>(
    `SELECT d::text AS row FROM republish.documents AS d WHERE run_id = $1
     UNION ALL SELECT p::text FROM republish.pages AS p WHERE run_id = $1
     UNION ALL SELECT s::text FROM republish.signer_proofs AS s WHERE run_id = $1 ORDER BY 1`,
    [runId],
  );
  return rows.map(({ row }) => row);
}

describe.each(WRITES)('%s', (_, write) => {
  test('changes an open run', async () => {
    const known = await aRun();
    const before = await contents(known.key);
    await write(database, known);
    expect(await contents(known.key)).not.toEqual(before);
  });

  test('after the close changes nothing, and is no error', async () => {
    const known = await aRun();
    await close(database, known.key);
    const before = await contents(known.key);
    await write(database, known);
    expect(await contents(known.key)).toEqual(before);
  });

  test.each(['locked', 'written'] as const)(
    'waits for a close that is under way (%s), and then changes nothing',
    async (moment) => {
      const known = await aRun();
      const repeats = ledger.repeats();
      let writing: Promise<unknown> = Promise.resolve();
      await close(database, known.key, {
        [moment]: async () => {
          writing = write(database, known);
          await ledger.untilSomebodyWaits();
        },
      });
      const before = await contents(known.key);
      await writing;
      expect(await contents(known.key)).toEqual(before);
      // The locks are taken in one order: neither has waited for the other in a circle.
      expect(ledger.repeats()).toBe(repeats);
    },
  );

  test('that is under way is waited for by the close, which sees it', async () => {
    const known = await aRun();
    const repeats = ledger.repeats();
    let closing: Promise<unknown> = Promise.resolve();
    await database.transaction(async (client) => {
      await write(client, known);
      closing = close(database, known.key);
      await ledger.untilSomebodyWaits();
    });
    await closing;
    expect(ledger.repeats()).toBe(repeats);
    const outcomes = (await documentsOfRun(database, known.key.runId)).map(({ outcome }) => outcome);
    expect(outcomes).not.toContain(null);
  });
});

/** No statement of ours, which would look at the run first; on a document that the close does not touch. */
describe('SQL of somebody’s own', () => {
  const write = (db: Writable, { key: { runId } }: Known) =>
    db.query(
      `UPDATE republish.documents SET relays = '{"ws://late": {"state": "absent"}}' WHERE run_id = $1 AND machine_id = 'm3'`,
      [runId],
    );

  test('waits for a close that is under way, and is refused then', async () => {
    const known = await aRun();
    let writing: Promise<unknown> = Promise.resolve();
    await close(database, known.key, {
      written: async () => {
        writing = write(database, known).catch((thrown: unknown) => thrown);
        await ledger.untilSomebodyWaits();
      },
    });
    expect(String(await writing)).toContain('is closed');
  });

  test('that is under way is waited for by a close, which sees it', async () => {
    const known = await aRun();
    let closing: Promise<unknown> = Promise.resolve();
    let seen: unknown;
    await database.transaction(async (client) => {
      await write(client, known);
      closing = close(database, known.key, {
        written: async () => {
          seen = (await outcomesOfRun(database, known.key.runId)).find(({ machineId }) => machineId === 'm3');
        },
      });
      await ledger.untilSomebodyWaits();
    });
    await closing;
    expect(seen).toMatchObject({ relays: { 'ws://late': { state: 'absent' } } });
  });

  test('closes no run before those that write to it have ended', async () => {
    const known = await aRun();
    await endPage(database, known.key, { type: 'ActivityTimeout', message: 'm' });
    let closing: Promise<unknown> = Promise.resolve();
    await database.transaction(async (client) => {
      await write(client, known);
      closing = database.query('UPDATE republish.runs SET closed_at = now() WHERE run_id = $1', [
        known.key.runId,
      ]);
      await ledger.untilSomebodyWaits();
    });
    await closing;
    expect(await runOf(database, known.key.runId)).toMatchObject({ closed: true });
  });
});

test('a sweep does not begin on a closed run', async () => {
  const { key } = await aRun();
  await close(database, key);
  await expect(beginSweep(database, key.runId)).rejects.toMatchObject({ type: 'NotAttempted' });
});

describe('what nobody finished', () => {
  async function closed(reasons: Reasons) {
    const { key } = await aRun();
    await database.transaction(async (client) => {
      await lockRun(client, key.runId);
      await failUnsettledDocuments(client, key.runId, reasons);
      await closeRun(client, key.runId);
    });
    const rows = await outcomesOfRun(database, key.runId);
    return rows.map(({ machineId, failureType, failureMessage }) => [machineId, failureType, failureMessage]);
  }

  const reasons: Reasons = {
    begun: { type: 'Interrupted', message: 'cancelled in work' },
    notBegun: { type: 'NotAttempted', message: 'never begun' },
  };

  test('has failed by its own trouble; else it was interrupted when sealed, and not attempted when not', async () => {
    expect(await closed(reasons)).toEqual([
      ['m1', 'SignerTimeout', 'late'],
      ['m2', null, 'no state'],
      ['m3', null, null],
      ['m4', 'Interrupted', 'cancelled in work'],
      ['m5', 'NotAttempted', 'never begun'],
    ]);
  });

  test('has failed by what kept the run from further pages, where it had no trouble of its own', async () => {
    const cause = { type: 'SignerUnreachable', message: 'all relays are away' } as const;
    expect((await closed({ ...reasons, cause })).filter(([, type]) => type !== null)).toEqual([
      ['m1', 'SignerTimeout', 'late'],
      ['m4', 'SignerUnreachable', 'all relays are away'],
      ['m5', 'SignerUnreachable', 'all relays are away'],
    ]);
  });
});

test('a run that is opened again is what it was, also when it is closed', async () => {
  const { key } = await aRun();
  const again = {
    runId: key.runId,
    workflowId: 'another',
    operatorPubkey: 'b'.repeat(64),
    documentTypes: [],
    request: { operatorUserId: 'another', force: true, resetCounts: true },
  };
  const before = await runOf(database, key.runId);
  expect(await openRun(database, again)).toEqual(before);
  await close(database, key);
  expect(await openRun(database, again)).toEqual({ ...before, closed: true });
  const unknownKey = { ...again, runId: 'without a key', operatorPubkey: undefined };
  expect(await openRun(database, unknownKey)).toMatchObject({ operatorPubkey: null });
  expect(await openRun(database, { ...again, runId: 'without a key' })).toMatchObject({
    operatorPubkey: again.operatorPubkey,
  });
  expect(await runOf(database, 'nobody')).toBeUndefined();
});
