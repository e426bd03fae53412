import { nip44 } from 'nostr-tools';
import { z } from 'zod';
import { RepublishFailed } from '../../client/errors';
import { defineDocumentType, dTag } from '../../documents/document-type';
import { documentTypes } from '../../documents/registry';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { makeLnbitsFolder } from '../support/sqlite';

/** The state as it stands in a JSON column. */
const whole = defineDocumentType({
  type: 'whole',
  source: { table: 'whole' },
  schema: z.unknown(),
  assemble: (rows) => rows,
});
/** The state made of a column; SQLite has no `numeric` that keeps its digits. */
const rates = defineDocumentType({
  type: 'rates',
  source: { table: 'rates' },
  schema: z.unknown(),
  assemble: (rows) => rows[0],
});

/**
 * What each machine has, and what it reads; undefined: refused by the name of the machine, and nothing is
 * published.
 */
const WHOLE: [held: string, read: string | undefined][] = [
  [
    '{"rate" : 0.10, "big": 9007199254740992, "z": 1, "é": 1E2}',
    '{"rate":0.10,"big":9007199254740992,"z":1,"é":1E2}',
  ],
  ['{"rate": 9007199254740992.4}', undefined],
  ['{"rate": 1e-400}', undefined],
  ['{"rate": 1, "rate": 2}', undefined],
];
const RATES: [held: string, read: string | undefined][] = [
  ['12345.6789012345', '{"rate":12345.6789012345}'],
  ['12345678901234567890.0123456789', undefined],
];

/** I7 through a whole run: the digits of the database, or a refusal by name. */
describe('57: values that a JSON number cannot carry', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.database.query(
      'CREATE TABLE spirekeeper.whole (machine_id text, state json); CREATE TABLE spirekeeper.rates (machine_id text, rate numeric(30,10))',
    );
  });
  afterAll(() => saga.stop());

  /** What each machine reads at its place, by its id. */
  const readAt = ({ machines, bunker }: SagaOperator, documentType: string) =>
    machines.map(({ atmPubkey, secretKey }) => {
      const event = saga.relays[0]
        ?.events()
        .find(({ tags }) => tags.some(([, value]) => value === dTag(documentType, atmPubkey)));
      if (event === undefined) return undefined;
      return nip44.decrypt(event.content, nip44.getConversationKey(secretKey, bunker.userPubkey));
    });

  const refusedIn = async (operator: SagaOperator, documentType: string): Promise<string[]> => {
    const run = await saga.start(operator.id, { documentTypes: [documentType] });
    const failure = await run.result().catch((error: unknown) => error);
    if (!(failure instanceof RepublishFailed)) throw new Error('every value was taken');
    expect(failure.type).toBe('RepublishIncomplete');
    expect(failure.failures.map(({ type }) => type)).toEqual(failure.failures.map(() => 'StateInvalid'));
    return failure.failures.map(({ machineId }) => machineId).sort();
  };
  const idsWithout = ({ machines }: SagaOperator, rows: typeof WHOLE): string[] =>
    machines.filter((_, index) => rows[index]?.[1] === undefined).map(({ id }) => id);

  test('57: on Postgres: 2^53 + .4, 1e-400, a key twice, numeric(30,10)', async () => {
    const worker = await saga.startWorker({ documentTypes: [...documentTypes, whole, rates] });
    for (const [type, rows] of [
      ['whole', WHOLE],
      ['rates', RATES],
    ] as const) {
      const operator = await saga.addOperator({ machines: rows.length });
      for (const [index, [held]] of rows.entries()) {
        await saga.database.query(`INSERT INTO spirekeeper.${type} VALUES ($1, $2)`, [
          operator.machines[index]?.id,
          held,
        ]);
      }
      expect(await refusedIn(operator, type)).toEqual(idsWithout(operator, rows));
      expect(readAt(operator, type)).toEqual(rows.map(([, read]) => read));
    }
    await worker.stop();
  });

  test('57: on SQLite: 2^53 + .4, 1e-400, a key twice', async () => {
    const folder = await makeLnbitsFolder();
    saga.onStop(() => folder.remove());
    const operator = await saga.addOperator({ machines: WHOLE.length });
    const rows = operator.machines.map(
      ({ id, atmPubkey }, index) => `
      INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, name, machine_npub)
        VALUES ('${id}', '${operator.id}', 'w-${id}', '${id}', '${atmPubkey}');
      INSERT INTO spirekeeper.whole VALUES ('${id}', '${WHOLE[index]?.[0]}');`,
    );
    await folder.write(`
      INSERT INTO accounts (id, pubkey) VALUES ('${operator.id}', '${operator.bunker.userPubkey}');
      CREATE TABLE spirekeeper.whole (machine_id TEXT, state TEXT);
      ${rows.join('')}`);
    const worker = await saga.startWorker({
      env: { LNBITS_DATABASE_URL: `sqlite://${folder.folder}` },
      documentTypes: [...documentTypes, whole],
    });
    expect(await refusedIn(operator, 'whole')).toEqual(idsWithout(operator, WHOLE));
    expect(readAt(operator, 'whole')).toEqual(WHOLE.map(([, read]) => read));
    await worker.stop();
  });
});
