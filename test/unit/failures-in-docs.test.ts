import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodeFor } from '../../client/cli/exit-codes';
import { type FailureType, FAILURES, typesWith } from '../../contract/failures';
import { BUNKER_RESULTS } from '../../contract/telemetry';
import { findingsOf } from '../../inspection/doctor/finding';

const ROOT = path.resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const PAGES = ['README.md', ...readdirSync(path.join(ROOT, 'docs')).map((file) => `docs/${file}`)]
  .filter((file) => file.endsWith('.md'))
  .map((page) => ({ page, text: read(page) }));

test('an exit code that a page gives behind a failure type is that of the catalogue', () => {
  const told = PAGES.flatMap(({ page, text }) =>
    [...text.matchAll(/`([A-Z]\w+)`,? \(?exit code (\d)/g)].map(([, type = '', code]) => ({
      page,
      type,
      code,
    })),
  );
  expect(told.length).toBeGreaterThan(2);
  for (const { page, type, code } of told)
    expect({ page, type, code }).toEqual({ page, type, code: String(exitCodeFor(type as FailureType)) });
});

test('docs/errors.md has a section and the exit code of every failure type', () => {
  const sections = read('docs/errors.md').split(/^### /m).slice(1);
  const codes = sections.map((section) => [
    /^\w+/.exec(section)?.[0],
    /^- Exit code: (\d)$/m.exec(section)?.[1],
  ]);
  expect(Object.fromEntries(codes)).toEqual(
    Object.fromEntries(Object.keys(FAILURES).map((type) => [type, String(exitCodeFor(type as FailureType))])),
  );
});

test('every way in which a request to a bunker ends, by the catalogue, stands with the metric', () => {
  const row = /^\| `republish_bunker_requests_total.*$/m.exec(read('docs/operations.md'))?.[0];
  for (const result of BUNKER_RESULTS) expect(row).toContain(`\`${result}\``);
  // What ends otherwise than by a failure: it was answered, or nobody waits any more.
  const byFailure = BUNKER_RESULTS.filter((result) => typesWith('bunkerResult', result).length > 0);
  expect(BUNKER_RESULTS.filter((result) => !byFailure.includes(result))).toEqual(['answered', 'cancelled']);
});

test.each(Object.keys(FAILURES) as FailureType[])("doctor's remedy for %s is the catalogue's", (type) => {
  expect(findingsOf('run', 'op').fail('why', type)).toMatchObject({ type, remedy: FAILURES[type].remedy });
});
