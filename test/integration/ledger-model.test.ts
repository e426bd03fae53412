import fc from 'fast-check';
import type { Database } from '../../database/connection';
import { GOOD_OUTCOMES } from '../../contract/progress';
import { documentsOfRun } from '../../database/ledger/documents';
import { keepSignature, sealDocument, settleGood } from '../../database/ledger/facts';
import { retryDocuments, skipDocuments } from '../../database/ledger/interventions';
import { beginPage, pageState } from '../../database/ledger/page';
import { beginSweep, settleSwept } from '../../database/ledger/sweep';
import { noteTrouble } from '../../database/ledger/trouble';
import { clearTrouble, ledgerView } from '../../database/ledger/view';
import {
  close,
  type Key,
  plannedRun,
  sealedEvent,
  startLedger,
  type TestLedger,
  endPage,
} from '../support/ledger';
import { LedgerModel } from '../support/ledger-model';

/**
 * Statements in any order, also those of earlier attempts and sweeps: the ledger is what its rules
 * make of them.
 */
const DOCUMENTS = 2;
const EVENTS = Array.from({ length: 3 }, () => sealedEvent());

const document = fc.nat({ max: DOCUMENTS - 1 });
const event = fc.nat({ max: EVENTS.length - 1 });
/** Which event a late fact is about: another one, or mostly the one that is sealed. */
const about = fc.option(event, { nil: undefined, freq: 2 });
/** How many attempts or sweeps have begun since the one that writes. */
const late = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 }));
const selected = fc.option(document, { nil: undefined });
const good = fc.constantFrom(...GOOD_OUTCOMES);
const of = <Kind extends string, Values>(
  kind: Kind,
  values: { [Name in keyof Values]: fc.Arbitrary<Values[Name]> },
): fc.Arbitrary<{ kind: Kind } & Values> => fc.record(values).map((each) => ({ kind, ...(each as Values) }));

const STEP = fc.oneof(
  of('begin', {}),
  of('seal', { document, event, reuses: fc.boolean(), exchanges: fc.boolean() }),
  of('seal', { document, event, reuses: fc.boolean(), exchanges: fc.boolean() }),
  of('sign', { document, about, signature: fc.constantFrom('s1', 's2') }),
  of('settle', { document, about, outcome: good }),
  of('trouble', { document, late, final: fc.boolean(), timeIsOver: fc.boolean() }),
  of('settlePage', {}),
  of('retry', { selected }),
  of('skip', { selected }),
  of('resume', {}),
  of('sweep', {}),
  of('swept', { document, about, late, outcome: fc.oneof(good, fc.constant('failed' as const)) }),
);
type Step = typeof STEP extends fc.Arbitrary<infer Value> ? Value : never;

let ledger: TestLedger;
let db: Database;

beforeAll(async () => {
  ledger = await startLedger();
  db = ledger.database;
});
afterAll(() => ledger.stop());

const machineOf = (index: number): string => `m${index + 1}`;
const selectionOf = (index: number | undefined) =>
  index === undefined ? {} : { machineId: machineOf(index) };
const eventOf = (index: number) => EVENTS[index] ?? sealedEvent();
const idOf = (about: number | undefined, index: number, model: LedgerModel): string =>
  about === undefined ? (model.documents[index]?.event ?? eventOf(0).id) : eventOf(about).id;

/** Does a step in the ledger, and says to the model what it has done. */
type Take<Kind extends Step['kind']> = (
  step: Extract<Step, { kind: Kind }>,
  key: Key,
  model: LedgerModel,
) => Promise<void>;

const STEPS: { [Kind in Step['kind']]: Take<Kind> } = {
  async begin(_, key, model) {
    await beginPage(db, key);
    model.beginPage();
  },

  async seal(step, key, model) {
    const sealed = eventOf(step.event);
    const replaces = step.exchanges ? idOf(undefined, step.document, model) : undefined;
    const signature = step.reuses ? `earlier of ${sealed.id}` : null;
    const standing = await sealDocument(
      db,
      { ...key, machineId: machineOf(step.document) },
      { event: sealed, stateFingerprint: 'f', signature, replaces },
    );
    model.seal(step.document, sealed.id, signature, replaces);
    const { event, outcome } = model.documents[step.document] ?? {};
    // Undefined would say that another run has sealed it later, and there is none.
    if (replaces !== sealed.id) expect(standing).toMatchObject({ outcome, event: event && { id: event } });
  },

  async sign(step, key, model) {
    const id = idOf(step.about, step.document, model);
    await keepSignature(db, { ...key, machineId: machineOf(step.document) }, id, step.signature);
    model.sign(step.document, id, step.signature);
  },

  async settle({ document, about, outcome }, key, model) {
    const id = idOf(about, document, model);
    // Nothing is published that is not signed: the attempt knows.
    if (outcome !== 'superseded' && model.documents[document]?.signature === null) return;
    const machineId = machineOf(document);
    const told = await settleGood(db, key, [{ machineId, eventId: id, outcome, relays: {} }]);
    model.settle(document, id, outcome);
    expect(told.get(machineId)).toBe(model.documents[document]?.outcome);
  },

  async trouble(step, { runId, page, documentType }, model) {
    const holder = model.holder - step.late;
    const type = 'SignerTimeout';
    await noteTrouble(
      db,
      { runId, page, documentType, holder, documentTimeoutMs: step.timeIsOver ? 0 : 3_600_000 },
      [{ machineId: machineOf(step.document), type, message: 'm', final: step.final }],
    );
    model.trouble(step.document, holder, { ...step, type });
  },

  async settlePage(_, key, model) {
    await endPage(db, key, { type: 'ActivityTimeout', message: 'm' });
    model.settlePage('ActivityTimeout');
  },

  async retry({ selected }, { runId }, model) {
    expect(await retryDocuments(db, runId, selectionOf(selected))).toBe(model.retry(selected));
  },

  async skip({ selected }, { runId }, model) {
    expect(await skipDocuments(db, runId, selectionOf(selected), 'm')).toBe(model.skip(selected));
  },

  async resume(_, { runId }, model) {
    await clearTrouble(db, runId);
    model.resume();
  },

  async sweep(_, { runId }, model) {
    if (!model.closed) expect(await beginSweep(db, runId)).toBe((model.sweeps += 1));
  },

  async swept({ document, about, late, outcome }, { runId, documentType }, model) {
    // It has looked at signed documents only.
    if (model.documents[document]?.signature === null) return;
    const id = idOf(about, document, model);
    const sweep = model.sweeps - late;
    const type = 'DocumentLost';
    await settleSwept(db, { runId, sweep }, [
      { documentType, machineId: machineOf(document), eventId: id, outcome, type, message: 'm' },
    ]);
    model.swept(document, sweep, { event: id, outcome, type });
  },
};

const take = (step: Step, key: Key, model: LedgerModel): Promise<void> =>
  (STEPS[step.kind] as (step: Step, key: Key, model: LedgerModel) => Promise<void>)(step, key, model);

async function expectSame(key: Key, model: LedgerModel): Promise<void> {
  const rows = await documentsOfRun(db, key.runId);
  expect(
    rows.map(({ event, signature, reused, resealed, outcome, failureType, tries }) => ({
      event: event?.id ?? null,
      signature,
      reused,
      resealed,
      outcome,
      failureType,
      tries,
    })),
  ).toEqual(model.documents);
}

async function expectCountsOf(key: Key, model: LedgerModel): Promise<void> {
  const { counts } = await pageState(db, key);
  const open = model.documents.filter(({ outcome }) => outcome === null).length;
  expect(counts.open ?? 0).toBe(open);
  expect((await ledgerView(db, key.runId)).pages).toEqual(open > 0 ? [[0, counts]] : []);
  const { encrypted = 0, signed = 0, sent = 0, standing = 0 } = counts;
  expect([encrypted, signed, sent, standing]).toEqual(
    [encrypted, signed, sent, standing].sort((a, b) => b - a),
  );
}

test('statements in any order make of the ledger what its rules say', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { minLength: 5, maxLength: 30, size: 'max' }),
      fc.array(STEP, { maxLength: 8 }),
      async (before, after) => {
        const key = await plannedRun(db, Array(DOCUMENTS).fill({}));
        const model = new LedgerModel(DOCUMENTS);
        for (const step of before) {
          await take(step, key, model);
          await expectSame(key, model);
        }
        await expectCountsOf(key, model);
        await close(db, key);
        model.close();
        for (const step of after) await take(step, key, model);
        await expectSame(key, model);
        expect((await ledgerView(db, key.runId)).pages).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
}, 300_000);
