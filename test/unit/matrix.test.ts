import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Rows that nobody may forget: each is in the tables of docs/reliability.md, and in the name of a test that
 * `npm run test:faults` runs.
 */
const ROWS = [...Array.from({ length: 67 }, (_, index) => index + 1), 69, 70, 71, 72, 73, 74, 76, 77, 78];

const root = path.resolve(__dirname, '../..');

const numbersIn = (list: string): number[] => list.split(', ').map(Number);

function rowsOfTests(): Set<number> {
  const files = ['test/faults', 'test/replay'].flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => path.join(root, folder, name)),
  );
  // A name begins with its rows, as in '11, 66: Postgres ...'. A range is a name for many, and a test of none
  // of them.
  const names = files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/['"`](\d+(?:, \d+)*): /g)]);
  return new Set(names.flatMap(([, rows]) => numbersIn(rows ?? '')));
}

function rowsOfTheDocument(): Set<number> {
  const text = readFileSync(path.join(root, 'docs/reliability.md'), 'utf8');
  const rows = text.matchAll(/^(?:\| (\d+(?:, \d+)*) +\||- \*\*(?:Row )?(\d+)\*\*)/gm);
  return new Set([...rows].flatMap(([, ofTable, ofList]) => numbersIn(ofTable ?? ofList ?? '')));
}

test.each([
  ['has a test that says so in its name', rowsOfTests],
  ['stands in docs/reliability.md', rowsOfTheDocument],
])('every row of the matrix %s', (_, rowsOf) => {
  const rows = rowsOf();
  expect(ROWS.filter((row) => !rows.has(row))).toEqual([]);
});
