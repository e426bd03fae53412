import { readFileSync } from 'node:fs';
import path from 'node:path';
import { configurationSchema, ENVIRONMENT } from '../../configuration/schema';

const SOURCE = readFileSync(path.resolve(__dirname, '../../configuration/schema.ts'), 'utf8');

/** The comment on a key of the schema, on one line. */
function commentOf(key: string): string {
  const [, comment = ''] = new RegExp(`\\n  /\\*\\*((?:(?!\\*/)[^])*)\\*/\\n  ${key}:`).exec(SOURCE) ?? [];
  return comment.replace(/\s+\*?\s*/g, ' ').trim();
}

const shown = (value: unknown): string =>
  typeof value === 'number' ? value.toLocaleString('en') : `${value}`;

describe.each(Object.keys(configurationSchema.shape))('the comment on %s', (key) => {
  const variables = Object.entries(ENVIRONMENT).flatMap(([name, of]) => (of.key === key ? [name] : []));

  test('begins with its variable, if it has one', () => {
    const [variable] = variables;
    expect(commentOf(key)).toMatch(
      variable === undefined ? /^(?!REPUBLISH)\S/ : new RegExp(`^${variable}\\. `),
    );
  });

  test('says its default', () => {
    const value = configurationSchema.parse({})[key as keyof typeof configurationSchema.shape];
    const [, said = ''] = /Default: (.*)$/.exec(commentOf(key)) ?? [];
    expect(said).not.toBe('');
    if (['string', 'number', 'boolean'].includes(typeof value))
      expect(said.replaceAll('`', '')).toMatch(new RegExp(`^${shown(value)}\\b`));
  });
});
