import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '../..');
const run = (file: string, args: string[]): string =>
  execFileSync(file, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' });
const bin = (name: string): string => path.join(root, 'node_modules/.bin', name);

describe('the package as it is published', () => {
  let directory: string;
  let tarball: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'republish-package-'));
    // What is in dist/ is what is packed: built by `npm test` before.
    run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory]);
    tarball = path.join(directory, readdirSync(directory)[0] ?? '');
  }, 60_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('publint finds nothing to object to', () => {
    expect(run(bin('publint'), ['run', '--strict', tarball])).toContain('All good');
  });

  test('types resolve from CommonJS, ES modules and bundlers (arethetypeswrong)', () => {
    // Exits with 1 when they do not. node10 knows no "exports", and no Node that we run on is that old.
    run(bin('attw'), [tarball, '--profile', 'node16']);
  }, 60_000);

  test('it holds what it needs, and no tests, no development stack’s types, no secrets', () => {
    const files = run('tar', ['tzf', tarball]).split('\n');
    for (const needed of [
      'package/dist/client/cli/main.js',
      'package/dist/client/index.d.ts',
      'package/dist/worker/workflow-bundle.js',
      'package/dist/database/migrations/0001_ledger.sql',
      'package/dist/dev/lnbits-tables.sql',
      'package/examples/python/republish_operator_configs.py',
      'package/README.md',
      'package/LICENSE',
    ])
      expect(files).toContain(needed);
    expect(
      files.filter((file) => /package\/(test|bench|docs)\/|\.map$|\.env|history|\.test\./.test(file)),
    ).toEqual([]);
  });

  test.each(['client', 'contract', 'worker'])(
    'every export of /%s is imported by name, from both module systems',
    (entry) => {
      const name = `republish-operator-configs/${entry}`;
      const exported = JSON.parse(
        run(process.execPath, ['-e', `console.log(JSON.stringify(Object.keys(require('${name}'))))`]),
      ) as string[];
      expect(exported.length).toBeGreaterThan(0);
      // Node reads the names of a CommonJS module without running it: what it cannot see there is missing in `import { }`.
      const source = `import { ${exported.join(', ')} } from '${name}'; console.log([${exported.join(', ')}].every((each) => each !== undefined))`;
      expect(run(process.execPath, ['--input-type=module', '-e', source]).trim()).toBe('true');
    },
  );
});
