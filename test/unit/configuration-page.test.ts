import { readFileSync } from 'node:fs';
import path from 'node:path';
import { configurationSchema, ENVIRONMENT, OTHER_VARIABLES } from '../../configuration/schema';

const PAGE = readFileSync(path.resolve(__dirname, '../../docs/configuration.md'), 'utf8');

interface Row {
  variable: string;
  key: string;
  byDefault: string;
  text: string;
}

/** The cells of a table row; backticks are markup. */
const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

function rowsBelow(heading: string): string[][] {
  const [, section = ''] = PAGE.split(`\n## ${heading}\n`);
  const [table = ''] = section.split('\n## ');
  // Behind the header and its rule.
  return table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map(cellsOf);
}

const bare = (cell: string): string => cell.replaceAll('`', '');

const rows: Row[] = rowsBelow('Variables and keys').map(
  ([variable = '', key = '', byDefault = '', text = '']) => ({
    variable: bare(variable),
    key: bare(key),
    byDefault: bare(byDefault),
    text,
  }),
);

const shown = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);

describe('docs/configuration.md', () => {
  test('has a row for every key of the schema, once, and no other', () => {
    expect(rows.map(({ key }) => key).sort()).toEqual(Object.keys(configurationSchema.shape).sort());
  });

  test('names for each key the variable that sets it', () => {
    const inCode = Object.entries(ENVIRONMENT).map(([variable, { key }]) => [key, variable]);
    const onPage = rows.filter(({ variable }) => variable !== '').map(({ key, variable }) => [key, variable]);
    expect(Object.fromEntries(onPage)).toEqual(Object.fromEntries(inCode));
    expect(onPage).toHaveLength(inCode.length);
  });

  test('says the default that the schema has', () => {
    const defaults = configurationSchema.parse({}) as Record<string, unknown>;
    expect(rows.map(({ key, byDefault }) => [key, byDefault])).toEqual(
      rows.map(({ key }) => [key, shown(defaults[key])]),
    );
  });

  test('says of each key what it sets', () => {
    expect(rows.filter(({ text }) => text === '')).toEqual([]);
  });

  test('has the variables that are no keys', () => {
    const others = rowsBelow('Other variables').map(([name = '']) => bare(name));
    expect(others).toEqual(expect.arrayContaining([...OTHER_VARIABLES]));
    const ours = others.filter((name) => name.startsWith('REPUBLISH_'));
    expect(ours.sort()).toEqual([...OTHER_VARIABLES].sort());
  });
});
