import { openDatabase } from '../../database/connection';
import { documentsOfRun } from '../../database/ledger/documents';
import { keepSignature, noteSent, sealDocument, sealReused, settleGood } from '../../database/ledger/facts';
import { newestSeals } from '../../database/ledger/page';
import { newestFingerprints } from '../../database/ledger/plan';
import {
  attempt,
  good,
  hex32,
  OPERATOR,
  plannedRun,
  reused,
  rowOf,
  sealedEvent,
  signed,
  startLedger,
  type TestLedger,
  TYPE,
} from '../support/ledger';
import { noteTrouble } from '../../database/ledger/trouble';

let ledger: TestLedger;

beforeAll(async () => {
  ledger = await startLedger();
});
afterAll(() => ledger.stop());

const anew = (event = sealedEvent()) => ({ event, stateFingerprint: 'f', signature: null });

describe('a seal', () => {
  test('the first wins, also when twenty are written at once', async () => {
    const key = await plannedRun(ledger.database);
    const seals = await Promise.all(
      Array.from({ length: 20 }, () => sealDocument(ledger.database, key, anew())),
    );
    const ids = new Set(seals.map((seal) => seal?.event?.id));
    expect(ids.size).toBe(1);
    expect((await rowOf(ledger.database, key)).event?.id).toBe([...ids][0]);
  });

  test('no two runs seal an address at the same date, and none before the other', async () => {
    const atmPubkey = hex32();
    const keys = await Promise.all(
      Array.from({ length: 8 }, () => plannedRun(ledger.database, [{ atmPubkey }])),
    );
    const seals = await Promise.all(
      keys.map((key, n) =>
        // Half of them as pages do it that reuse what earlier runs have signed.
        n % 2
          ? sealDocument(ledger.database, key, anew(sealedEvent(50)))
          : sealReused(ledger.database, key, [
              { machineId: 'm1', event: sealedEvent(50), stateFingerprint: 'f', signature: 's' },
            ]).then((map) => map.get('m1')),
      ),
    );
    expect(seals.filter((seal) => seal !== undefined)).toHaveLength(1);
    const late = await plannedRun(ledger.database, [{ atmPubkey }]);
    expect(await sealDocument(ledger.database, late, anew(sealedEvent(49)))).toBeUndefined();
    expect((await rowOf(ledger.database, late)).event).toBeNull();
    expect(await sealDocument(ledger.database, late, anew(sealedEvent(51)))).toMatchObject({ outcome: null });
  });

  test('many reused ones with one statement, each with its own; what another run has sealed later is left out', async () => {
    const [first, second, third] = [hex32(), hex32(), hex32()];
    const machines = [{ atmPubkey: first }, { atmPubkey: second }, { atmPubkey: third }];
    const other = await plannedRun(ledger.database, machines);
    const later = sealedEvent(1_700_000_500);
    await signed(ledger.database, { ...other, machineId: 'm2' }, later);
    const key = await plannedRun(ledger.database, machines);
    const standing = await signed(ledger.database, { ...key, machineId: 'm3' });
    const [one, two, three] = [sealedEvent(), sealedEvent(), sealedEvent()];
    const seals = await sealReused(ledger.database, key, [
      { machineId: 'm3', event: three, stateFingerprint: 'f3', signature: 's3' },
      { machineId: 'm2', event: two, stateFingerprint: 'f2', signature: 's2' },
      { machineId: 'm1', event: one, stateFingerprint: 'f1', signature: 's1' },
    ]);
    expect([...seals.keys()].sort()).toEqual(['m1', 'm3']);
    expect(seals.get('m1')).toMatchObject({
      event: one,
      stateFingerprint: 'f1',
      signature: 's1',
      reused: true,
      outcome: null,
    });
    expect(seals.get('m3')).toMatchObject({ event: standing, signature: 'sig', reused: false });
  });

  test('many runs that seal the same addresses never wait for each other in a circle', async () => {
    const machines = Array.from({ length: 40 }, () => ({ atmPubkey: hex32() }));
    const keys = await Promise.all(Array.from({ length: 6 }, () => plannedRun(ledger.database, machines)));
    const repeats = ledger.repeats();
    const sealed = await Promise.all(
      keys.map((key, n) => {
        const seals = machines.map((_, index) => ({
          machineId: `m${index + 1}`,
          event: sealedEvent(),
          stateFingerprint: 'f',
          signature: 's',
        }));
        return sealReused(ledger.database, key, n % 2 ? seals : seals.reverse());
      }),
    );
    expect(ledger.repeats()).toBe(repeats);
    // Each address by one of them, as they have the same date.
    expect(sealed.reduce((sum, { size }) => sum + size, 0)).toBe(machines.length);
  });

  test('a reused event that relays refuse is replaced once, by who names it', async () => {
    const key = await plannedRun(ledger.database);
    const refused = await reused(ledger.database, key);
    const replacement = sealedEvent(1_700_000_001);
    expect(await sealDocument(ledger.database, key, { ...anew(), replaces: sealedEvent().id })).toMatchObject(
      { event: { id: refused.id } },
    );
    const seals = await Promise.all(
      [replacement, sealedEvent(1_700_000_002), sealedEvent(1_700_000_003)].map((event) =>
        sealDocument(ledger.database, key, { ...anew(event), replaces: refused.id }),
      ),
    );
    const ids = new Set(seals.map((seal) => seal?.event?.id));
    expect(ids.size).toBe(1);
    expect(ids).not.toContain(refused.id);
    expect(await rowOf(ledger.database, key)).toMatchObject({
      event: { id: [...ids][0] },
      signature: null,
      reused: false,
      resealed: true,
      relays: {},
    });
    // Once: what was sealed anew stands, whatever is said of it.
    const again = { ...anew(sealedEvent(1_700_000_009)), replaces: [...ids][0] };
    expect(await sealDocument(ledger.database, key, again)).toMatchObject({ event: { id: [...ids][0] } });
  });

  test('no replacement is dated before what another run has sealed meanwhile', async () => {
    const atmPubkey = hex32();
    const key = await plannedRun(ledger.database, [{ atmPubkey }]);
    const refused = await reused(ledger.database, key);
    await signed(
      ledger.database,
      await plannedRun(ledger.database, [{ atmPubkey }]),
      sealedEvent(1_700_000_100),
    );
    const seal = { ...anew(sealedEvent(1_700_000_050)), replaces: refused.id };
    expect(await sealDocument(ledger.database, key, seal)).toBeUndefined();
    expect((await rowOf(ledger.database, key)).event?.id).toBe(refused.id);
  });

  test('of a document that has ended tells how; of one that is not there, that the ledger is incomplete', async () => {
    const key = await plannedRun(ledger.database, [{ outcome: 'skipped', failureMessage: 'no state' }]);
    expect(await sealDocument(ledger.database, key, anew())).toMatchObject({
      outcome: 'skipped',
      event: null,
    });
    await expect(
      sealDocument(ledger.database, { ...key, machineId: 'nobody' }, anew()),
    ).rejects.toMatchObject({
      type: 'LedgerIncomplete',
    });
  });

  test('the newest of an address: the latest, signed or not, and not of the run that asks', async () => {
    const [atmPubkey, nobody] = [hex32(), hex32()];
    for (const date of [4, 5])
      await sealDocument(ledger.database, await plannedRun(ledger.database, [{ atmPubkey }]), {
        ...anew(sealedEvent(date)),
        stateFingerprint: `of ${date}`,
      });
    const own = await plannedRun(ledger.database, [{ atmPubkey }]);
    await signed(ledger.database, own, sealedEvent(9));
    const type = { operatorPubkey: OPERATOR, documentType: TYPE };
    const seals = await newestSeals(ledger.database, type, [nobody, atmPubkey], own.runId);
    expect([...seals].map(([key, seal]) => [key, seal.stateFingerprint, seal.signature])).toEqual([
      [atmPubkey, 'of 5', null],
    ]);
    expect((await newestSeals(ledger.database, type, [atmPubkey], 'another')).get(atmPubkey)?.signature).toBe(
      'sig',
    );
    expect(await newestSeals(ledger.database, { ...type, operatorPubkey: hex32() }, [atmPubkey], '')).toEqual(
      new Map(),
    );
    expect(await newestFingerprints(ledger.database, OPERATOR, [TYPE], [atmPubkey, nobody])).toEqual(
      new Map([[`${TYPE}:${atmPubkey}`, 'f']]),
    );
  });
});

describe('a signature', () => {
  test('the first wins', async () => {
    const key = await plannedRun(ledger.database);
    const event = sealedEvent();
    await sealDocument(ledger.database, key, anew(event));
    const kept = await Promise.all(
      Array.from({ length: 10 }, (_, n) => keepSignature(ledger.database, key, event.id, `s${n}`)),
    );
    const signature = (await rowOf(ledger.database, key)).signature;
    expect(kept).toEqual(kept.map(() => ({ signature, outcome: null })));
  });

  test('belongs to the event that is sealed, and to no other', async () => {
    const key = await plannedRun(ledger.database);
    expect(await keepSignature(ledger.database, key, hex32(), 's')).toBeUndefined();
    const refused = await reused(ledger.database, key);
    await sealDocument(ledger.database, key, { ...anew(), replaces: refused.id });
    expect(await keepSignature(ledger.database, key, refused.id, 's')).toBeUndefined();
    expect((await rowOf(ledger.database, key)).signature).toBeNull();
  });
});

describe('what stands', () => {
  test('is told of each, whoever has settled it', async () => {
    const key = await plannedRun(ledger.database, [{}, {}, {}, {}]);
    const of = (machineId: string) => ({ ...key, machineId });
    const [one, two, three, four] = [
      await signed(ledger.database, of('m1')),
      await signed(ledger.database, of('m2')),
      await signed(ledger.database, of('m3')),
      await signed(ledger.database, of('m4')),
    ];
    await settleGood(ledger.database, key, [good(of('m2'), two, { outcome: 'unchanged' })]);
    await noteTrouble(ledger.database, await attempt(ledger.database, key), [
      { machineId: 'm3', type: 'RelayRefused', message: 'm', final: true },
      { machineId: 'm1', type: 'RelayQuorumNotReached', message: 'm', final: false },
    ]);
    const outcomes = await settleGood(ledger.database, key, [
      good(of('m1'), one),
      good(of('m2'), two, { outcome: 'superseded', supersededBy: 'x' }),
      good(of('m3'), three, { outcome: 'superseded', supersededBy: 'y' }),
      // An event that this document is not sealed with.
      good(of('m4'), sealedEvent()),
      good(of('nobody'), four),
    ]);
    expect(outcomes).toEqual(
      new Map([
        ['m1', 'published'],
        ['m2', 'unchanged'],
        ['m3', 'superseded'],
        ['m4', null],
      ]),
    );
    expect(await documentsOfRun(ledger.database, key.runId)).toMatchObject([
      { outcome: 'published', failureType: null, tries: 0, relays: { 'ws://r': { state: 'holds' } } },
      { outcome: 'unchanged', supersededBy: null },
      { outcome: 'superseded', supersededBy: 'y', failureType: null, failureMessage: null },
      { outcome: null },
    ]);
  });

  test('nothing is published that is not signed', async () => {
    const key = await plannedRun(ledger.database);
    const event = sealedEvent();
    await sealDocument(ledger.database, key, anew(event));
    await expect(settleGood(ledger.database, key, [good(key, event)])).rejects.toThrow('23514');
    const outcomes = await settleGood(ledger.database, key, [
      good(key, event, { outcome: 'superseded', supersededBy: 'x' }),
    ]);
    expect(outcomes).toEqual(new Map([['m1', 'superseded']]));
  });
});

test('a statement that could not wait is an error, and no answer', async () => {
  const key = await plannedRun(ledger.database);
  const event = await signed(ledger.database, key);
  const holder = await attempt(ledger.database, key);
  const impatient = openDatabase({ url: `${ledger.url}?options=-c%20lock_timeout%3D100` });
  const trouble = { machineId: 'm1', type: 'SignerTimeout', message: 'm', final: true } as const;
  try {
    await ledger.database.transaction(async (client) => {
      await client.query('SELECT FROM republish.documents WHERE run_id = $1 FOR UPDATE', [key.runId]);
      for (const statement of [
        () => sealDocument(impatient, key, anew()),
        () => sealReused(impatient, key, [{ machineId: 'm1', event, stateFingerprint: 'f', signature: 's' }]),
        () => settleGood(impatient, key, [good(key, event)]),
        () => noteSent(impatient, key, ['m1']),
        () => noteTrouble(impatient, holder, [trouble]),
      ])
        await expect(statement()).rejects.toMatchObject({ type: 'DatabaseUnavailable' });
    });
  } finally {
    await impatient.close();
  }
  expect(await rowOf(ledger.database, key)).toMatchObject({ event, outcome: null, tries: 0 });
  expect(await settleGood(ledger.database, key, [good(key, event)])).toEqual(new Map([['m1', 'published']]));
});
