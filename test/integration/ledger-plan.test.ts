import type { Database } from '../../database/connection';
import { documentsOfRun, sealedAmong, publishedTypes } from '../../database/ledger/documents';
import { noteSent, settleGood } from '../../database/ledger/facts';
import {
  badRows,
  planBadRowsAgain,
  retryDocuments,
  skipDocuments,
} from '../../database/ledger/interventions';
import { beginPage, pageState } from '../../database/ledger/page';
import { failuresOf, pagesFrom, planDocuments } from '../../database/ledger/plan';
import { isProved, keepProof } from '../../database/ledger/proofs';
import { noteTrouble } from '../../database/ledger/trouble';
import { ledgerView } from '../../database/ledger/view';
import { putSigner } from '../../database/signers';
import {
  attempt,
  good,
  hex32,
  OPERATOR,
  planned,
  plannedRun,
  rowOf,
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

const OTHER = 'bitspire-cassettes';
const NO_STATE = { outcome: 'skipped', failureMessage: 'has no state' } as const;
const BAD = { outcome: 'failed', failureType: 'StateInvalid', failureMessage: 'bad row' } as const;

/** Three machines of two types, on two pages. */
const twoPages = () =>
  plannedRun(db, [
    { machineId: 'm1' },
    { machineId: 'm2' },
    { machineId: 'm3', ...BAD },
    { page: 1, documentType: OTHER, machineId: 'm1' },
    { page: 1, documentType: OTHER, machineId: 'm2', ...NO_STATE },
    { page: 1, documentType: OTHER, machineId: 'm3', ...NO_STATE },
  ]);

describe('a plan', () => {
  test('is made once', async () => {
    const key = await plannedRun(db);
    const { atmPubkey } = await rowOf(db, key);
    await planDocuments(db, { ...key, operatorPubkey: OPERATOR }, [
      planned({ machineName: 'another', ...BAD }),
      planned({ machineId: 'm2' }),
    ]);
    expect(await documentsOfRun(db, key.runId)).toMatchObject([
      { machineId: 'm1', machineName: 'M', atmPubkey, outcome: null },
      { machineId: 'm2', page: 0 },
    ]);
    await planDocuments(db, { ...key, operatorPubkey: OPERATOR }, []);
  });

  test('is told page by page, with what is bad', async () => {
    const { runId } = await twoPages();
    const first = [0, { open: 2, failed: 1 }];
    const second = [1, { open: 1, skipped: 2 }];
    expect(await pagesFrom(db, runId, 0, 2)).toEqual([first, second]);
    expect(await pagesFrom(db, runId, 1, 5)).toEqual([second]);
    const machine = { machineId: 'm3', machineName: 'M' };
    const failure = { documentType: TYPE, ...machine, type: 'StateInvalid', message: 'bad row' };
    expect(await failuresOf(db, runId, { limit: 5 })).toEqual([failure]);
    expect(await failuresOf(db, runId, { firstPage: 1, pages: 1, limit: 5 })).toEqual([]);
    expect(await failuresOf(db, runId, { firstPage: 0, pages: 1, limit: 5 })).toEqual([failure]);
    expect(await failuresOf(db, runId, { limit: 0 })).toEqual([]);
  });
});

test('a page begins with its run, its signer and its open documents, and a number that rises', async () => {
  const key = await plannedRun(db, [{ machineId: 'm2' }, { machineId: 'm10' }, { machineId: 'm1', ...BAD }]);
  const event = await signed(db, { ...key, machineId: 'm10' });
  await noteSent(db, key, ['m10']);
  const begun = await beginPage(db, key);
  expect(begun).toMatchObject({
    run: {
      runId: key.runId,
      operatorUserId: 'op',
      operatorPubkey: OPERATOR,
      documentTypes: [TYPE],
      force: false,
      resetCounts: false,
      closed: false,
    },
    documentType: TYPE,
    holder: 1,
    signer: null,
    documents: [
      { machineId: 'm10', event, signature: 'sig', stateFingerprint: 'f', sent: true, tries: 0 },
      { machineId: 'm2', event: null, signature: null, sent: false, reused: false, resealed: false },
    ],
  });
  await putSigner(db, { operatorUserId: 'op', kind: 'local', pubkey: OPERATOR, ncryptsec: 'n' });
  expect(await beginPage(db, key)).toMatchObject({ holder: 2, signer: { kind: 'local', pubkey: OPERATOR } });
  expect(await beginPage(db, { ...key, page: 7 })).toBeUndefined();
  expect(await beginPage(db, { ...key, runId: 'nobody' })).toBeUndefined();
});

test('counts say what has become of each, and how far it is; each stage has those of the next', async () => {
  const key = await plannedRun(db, [{}, {}, {}, {}, NO_STATE, BAD]);
  const events = [];
  for (const machineId of ['m1', 'm2', 'm3'])
    events.push({ machineId, event: await signed(db, { ...key, machineId }) });
  await noteSent(db, key, ['m1', 'm2']);
  await settleGood(
    db,
    key,
    events.slice(0, 1).map(({ machineId, event }) => good({ machineId }, event)),
  );
  const counts = {
    open: 3,
    published: 1,
    skipped: 1,
    failed: 1,
    encrypted: 3,
    signed: 3,
    sent: 2,
    standing: 1,
  };
  expect((await pageState(db, key)).counts).toEqual(counts);
  expect(await ledgerView(db, key.runId)).toMatchObject({ pages: [[0, counts]], counts: { [TYPE]: counts } });
  await endPage(db, key, { type: 'ActivityTimeout', message: 'silent' });
  expect(await ledgerView(db, key.runId)).toMatchObject({ pages: [], counts: { [TYPE]: { failed: 4 } } });
  expect((await ledgerView(db, key.runId)).failures).toHaveLength(4);
  expect((await pageState(db, { ...key, page: 9 })).counts).toEqual({});
});

test('the ledger names the pages with open documents, and counts all by type', async () => {
  const key = await twoPages();
  expect(await ledgerView(db, key.runId)).toMatchObject({
    pages: [
      [0, { open: 2, failed: 1 }],
      [1, { open: 1, skipped: 2 }],
    ],
    counts: { [TYPE]: { open: 2, failed: 1 }, [OTHER]: { open: 1, skipped: 2 } },
  });
  await endPage(db, key, { type: 'ActivityTimeout', message: 'silent' });
  expect((await ledgerView(db, key.runId)).pages.map(([page]) => page)).toEqual([1]);
  expect(await ledgerView(db, 'nobody')).toEqual({ pages: [], counts: {}, failures: [] });
});

describe('retry and skip', () => {
  /** m1 has failed after its seal, m2 meets with trouble; m3 is bad; of the other type m1 is published. */
  async function troubled() {
    const key = await twoPages();
    const other = { ...key, page: 1, documentType: OTHER };
    await signed(db, key);
    await settleGood(db, other, [good(key, await signed(db, other))]);
    await noteTrouble(db, await attempt(db, key), [
      { machineId: 'm1', type: 'RelayRefused', message: 'm', final: true },
      { machineId: 'm2', type: 'SignerTimeout', message: 'm', final: false },
    ]);
    return key;
  }
  const outcomes = async (runId: string) =>
    (await documentsOfRun(db, runId)).map(({ outcome, tries }) => outcome ?? `open, ${tries} tries`);
  const holders = async (runId: string) =>
    (
      await db.query<{ holder: number }>(
        'SELECT holder FROM republish.pages WHERE run_id = $1 ORDER BY page',
        [runId],
      )
    ).map(({ holder }) => holder);

  const CASSETTES = ['published', 'skipped', 'skipped'];

  test('retry opens what has failed after its seal and clears trouble; what is good, skipped, bad or of another page stays', async () => {
    const { runId } = await troubled();
    expect(await outcomes(runId)).toEqual([...CASSETTES, 'failed', 'open, 1 tries', 'failed']);
    expect(await retryDocuments(db, runId, {})).toBe(2);
    expect(await outcomes(runId)).toEqual([...CASSETTES, 'open, 0 tries', 'open, 0 tries', 'failed']);
    expect(await holders(runId)).toEqual([2, 0]);
    expect(await retryDocuments(db, runId, {})).toBe(0);
  });

  test.each([
    [{ machineId: 'm1' }, 1],
    [{ documentType: TYPE, machineId: 'm2' }, 1],
    [{ documentType: OTHER }, 0],
    [{ machineId: 'nobody' }, 0],
  ])('retry of %j concerns %i', async (selection, documents) => {
    const { runId } = await troubled();
    expect(await retryDocuments(db, runId, selection)).toBe(documents);
    expect(await holders(runId)).toEqual([documents > 0 ? 2 : 1, 0]);
  });

  test.each([null, hex32()])('a bad row (its key: %s) is opened by a new plan only', async (atmPubkey) => {
    const { runId } = await plannedRun(db, [{ ...BAD, atmPubkey }]);
    expect(await retryDocuments(db, runId, {})).toBe(0);
    expect(await badRows(db, runId, {}, { limit: 5 })).toMatchObject([
      { machineId: 'm1', failureType: 'StateInvalid' },
    ]);
    await planBadRowsAgain(db, runId, [planned({ machineName: 'corrected' })]);
    expect(await documentsOfRun(db, runId)).toMatchObject([
      { outcome: null, machineName: 'corrected', failureType: null, atmPubkey: expect.any(String) as string },
    ]);
  });

  test('bad rows come in pieces, in the order of machines and types', async () => {
    const { runId } = await plannedRun(db, [BAD, {}, BAD, BAD]);
    const first = await badRows(db, runId, {}, { limit: 2 });
    expect(first.map(({ machineId }) => machineId)).toEqual(['m1', 'm3']);
    const rest = await badRows(db, runId, {}, { limit: 2, after: first[1] });
    expect(rest.map(({ machineId }) => machineId)).toEqual(['m4']);
  });

  test('a new plan is for what failed without an event, and may find it bad again or not to be done', async () => {
    const key = await troubled();
    const plan = ['m1', 'm2', 'm3'].map((machineId) => planned({ machineId, ...NO_STATE }));
    expect((await badRows(db, key.runId, {}, { limit: 5 })).map(({ machineId }) => machineId)).toEqual([
      'm3',
    ]);
    await planBadRowsAgain(db, key.runId, [
      planned({ machineId: 'm3', ...BAD, failureMessage: 'still bad' }),
    ]);
    expect(await rowOf(db, { ...key, machineId: 'm3' })).toBeDefined();
    expect((await failuresOf(db, key.runId, { limit: 9 })).map(({ message }) => message)).toContain(
      'still bad',
    );
    await planBadRowsAgain(db, key.runId, plan);
    expect(await outcomes(key.runId)).toEqual([...CASSETTES, 'failed', 'open, 1 tries', 'skipped']);
  });

  test('skip gives up what is not published, and says what had been wrong', async () => {
    const { runId } = await troubled();
    expect(await skipDocuments(db, runId, { documentType: TYPE }, 'skipped by ann')).toBe(3);
    expect(await outcomes(runId)).toEqual([...CASSETTES, 'skipped', 'skipped', 'skipped']);
    expect((await documentsOfRun(db, runId)).map(({ failureMessage }) => failureMessage).slice(3)).toEqual([
      'skipped by ann; it had failed: m',
      'skipped by ann; it had failed: m',
      'skipped by ann; it had failed: bad row',
    ]);
    expect(await holders(runId)).toEqual([2, 0]);
    // The other skipped ones had nothing to publish.
    const { counts } = await ledgerView(db, runId);
    expect(Object.values(counts).reduce((sum, { givenUp = 0 }) => sum + givenUp, 0)).toBe(3);
    expect(Object.values(counts).reduce((sum, { skipped = 0 }) => sum + skipped, 0)).toBe(5);
  });
});

test('a proof is of one run and one signer', async () => {
  const [key, other] = [await plannedRun(db), await plannedRun(db)];
  await keepProof(db, key.runId, 'bunker a b');
  await keepProof(db, key.runId, 'bunker a b');
  expect(await isProved(db, key.runId, 'bunker a b')).toBe(true);
  expect(await isProved(db, key.runId, 'bunker a c')).toBe(false);
  expect(await isProved(db, other.runId, 'bunker a b')).toBe(false);
});

test('which events of an address, and which types of a key, runs have sealed', async () => {
  const operatorPubkey = OPERATOR;
  const atmPubkey = hex32();
  const key = await plannedRun(db, [{ atmPubkey }]);
  const { id } = await signed(db, key);
  const address = { operatorPubkey, documentType: TYPE, atmPubkey };
  expect(await sealedAmong(db, address, [hex32(), id])).toEqual([id]);
  expect(await sealedAmong(db, { ...address, atmPubkey: hex32() }, [id])).toEqual([]);
  expect(await publishedTypes(db, operatorPubkey)).toContain(TYPE);
  expect(await publishedTypes(db, hex32())).toEqual([]);
});
