import Big from 'big.js';
import fc from 'fast-check';
import { z } from 'zod';
import { RepublishError } from '../../contract/failures';
import { defineDocumentType } from '../../documents/document-type';
import { serialiseState } from '../../documents/state';
import { openPostgresSource } from '../../sources/postgres';
import type { Source } from '../../sources/source';
import { openSqliteSource } from '../../sources/sqlite';
import { createLnbitsDatabase, type LnbitsDatabase } from '../support/lnbits-database';
import { type LnbitsFolder, makeLnbitsFolder } from '../support/sqlite';

/** I7: what a database holds reaches the machine with the same digits, or is refused. */

const MAX_BYTES = 100_000;
const ASKED = 40;
const whole = defineDocumentType({
  type: 'whole',
  source: { table: 'whole' },
  schema: z.unknown(),
  assemble: (rows) => rows,
});
const columns = defineDocumentType({
  type: 'columns',
  source: { table: 'columns' },
  schema: z.unknown(),
  assemble: (rows) => rows[0],
});
const documentTypes = [whole, columns];
const queries = { schema: 'spirekeeper', documents: {}, documentTypes };

let lnbits: LnbitsDatabase;
let folder: LnbitsFolder;
let postgres: Source;
let sqlite: Source;
beforeAll(async () => {
  lnbits = await createLnbitsDatabase('template_lnbits');
  await lnbits.database.query(
    `CREATE TABLE spirekeeper.whole (machine_id text, state json);
     CREATE TABLE spirekeeper.columns (machine_id text, exact numeric, narrow numeric(30,10), wide double precision, big bigint, words text)`,
  );
  folder = await makeLnbitsFolder();
  await folder.write(
    `CREATE TABLE spirekeeper.whole (machine_id TEXT, state TEXT);
     CREATE TABLE spirekeeper.columns (machine_id TEXT, exact, words TEXT)`,
  );
  postgres = openPostgresSource({ database: lnbits.database, where: 'test', preset: 'auto', queries });
  sqlite = openSqliteSource({ folder: folder.folder, preset: 'auto', queries });
}, 300_000);
afterAll(async () => {
  await sqlite.close();
  await lnbits.drop();
  await folder.remove();
});

/** Digits with or without fraction and exponent, from plain ones to those that no double carries. */
const numberText = fc
  .record({
    sign: fc.constantFrom('', '-'),
    digits: fc.oneof(
      fc.stringMatching(/^(0|[1-9][0-9]{0,4})$/),
      fc.stringMatching(/^[1-9][0-9]{14,24}$/),
      fc.constantFrom('9007199254740993', '9007199254740992', '0'),
    ),
    fraction: fc.oneof(fc.constant(''), fc.stringMatching(/^\.[0-9]{1,20}$/)),
    exponent: fc.oneof(
      { weight: 4, arbitrary: fc.constant('') },
      fc.integer({ min: -420, max: 420 }).map((exponent) => `e${exponent}`),
    ),
  })
  .map(({ sign, digits, fraction, exponent }) => `${sign}${digits}${fraction}${exponent}`);

const isSameDecimal = (one: string, other: string): boolean => new Big(one).eq(new Big(other));

/** The document as it would be encrypted; undefined: refused, which is as good. */
function published(type: typeof whole, rows: Awaited<ReturnType<Source['states']>>, id: string) {
  const state = rows.get(id);
  if (state === undefined) throw new Error('the source did not answer for the machine');
  try {
    if (state instanceof RepublishError) throw state;
    return serialiseState(type, state, MAX_BYTES)?.plaintext;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(RepublishError);
    expect((thrown as RepublishError).type).toBe('StateInvalid');
    return undefined;
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

test('a JSON document is published token by token, or refused, from both databases alike', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.stringMatching(/^[A-Za-z0-9 é'"{}:,]{1,8}$/), numberText), {
        minLength: 1,
        maxLength: 5,
      }),
      async (members) => {
        const text = `{ ${members.map(([key, number]) => `${JSON.stringify(key)} : ${number}`).join(' ,\n ')} }`;
        await lnbits.database.query('TRUNCATE spirekeeper.whole');
        await lnbits.database.query('INSERT INTO spirekeeper.whole VALUES ($1, $2)', ['m', text]);
        await folder.write(
          `DELETE FROM spirekeeper.whole; INSERT INTO spirekeeper.whole VALUES ('m', ${quoted(text)})`,
        );
        const fromPostgres = published(whole, await postgres.states('whole', ['m'], MAX_BYTES), 'm');
        const fromSqlite = published(whole, await sqlite.states('whole', ['m'], MAX_BYTES), 'm');
        expect(fromSqlite).toBe(fromPostgres);
        const keys = members.map(([key]) => key);
        const carried = members.every(([, number]) => {
          const double = Number(number);
          return Number.isFinite(double) && isSameDecimal(String(double), number);
        });
        const isSound = new Set(keys).size === keys.length && carried;
        expect(fromPostgres).toBe(
          isSound
            ? `{${members.map(([key, number]) => `${JSON.stringify(key)}:${number}`).join(',')}}`
            : undefined,
        );
        if (isSound) accepted += 1;
      },
    ),
    // The example is sound: one at least is accepted, whatever the others are.
    { numRuns: ASKED, examples: [[[['key', '0.10']]]] },
  );
  expect(accepted).toBeGreaterThan(0);
}, 120_000);

test('columns of Postgres keep their value, or are refused by their name', async () => {
  await fc.assert(
    fc.asyncProperty(
      numberText.filter((text) => Math.abs(Number(text)) < 1e19 && Math.abs(Number(text)) > 1e-300),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      async (exact, wide, big) => {
        await lnbits.database.query('TRUNCATE spirekeeper.columns');
        const [row] = await lnbits.database.query<Record<string, string>>(
          `INSERT INTO spirekeeper.columns VALUES ('m', $1::numeric, $1::numeric, $2, $3, 'x')
           RETURNING exact::text, narrow::text, wide::text, big::text`,
          [exact, wide, big.toString()],
        );
        const text = published(columns, await postgres.states('columns', ['m'], MAX_BYTES), 'm');
        if (row === undefined || text === undefined) return;
        const state = JSON.parse(text) as Record<string, number>;
        for (const [column, held] of Object.entries(row)) {
          expect(isSameDecimal(String(state[column]), held)).toBe(true);
        }
      },
    ),
    { numRuns: ASKED },
  );
  await lnbits.database.query('TRUNCATE spirekeeper.columns');
  await lnbits.database.query(
    "INSERT INTO spirekeeper.columns VALUES ('m', 0.5, 12345678901234567890.0123456789, 0, 0, 'x')",
  );
  const states = await postgres.states('columns', ['m'], MAX_BYTES);
  expect(() => serialiseState(columns, states.get('m') as string[], MAX_BYTES)).toThrow(/^narrow: /);
}, 120_000);

test('values of SQLite keep their digits, whatever type the column was declared with', async () => {
  const values = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => (Object.is(value, -0) ? '0.0' : literal(value))),
  );
  await fc.assert(
    fc.asyncProperty(values, fc.string(), async (value, words) => {
      fc.pre(!words.includes('\0'));
      await folder.write(
        `DELETE FROM spirekeeper.columns; INSERT INTO spirekeeper.columns VALUES ('m', ${value}, ${quoted(words)})`,
      );
      const text = published(columns, await sqlite.states('columns', ['m'], MAX_BYTES), 'm');
      const isExact = isSameDecimal(String(Number(value)), value);
      expect(text !== undefined).toBe(isExact);
      if (text === undefined) return;
      const state = JSON.parse(text) as { exact: number; words: string };
      expect(isSameDecimal(String(state.exact), value)).toBe(true);
      expect(state.words).toBe(words);
    }),
    { numRuns: ASKED },
  );
}, 120_000);

/** As SQL writes a REAL: an exponent or a point, or it would be an INTEGER. */
function literal(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
