import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

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

  test('types resolve from CommonJS, ES modules, bundlers, and where TypeScript knows no "exports" (arethetypeswrong)', () => {
    // Exits with 1 when they do not.
    run(bin('attw'), [tarball]);
  }, 60_000);

  test('its types compile for who checks libraries too, and has not the types of what it uses inside', () => {
    const project = path.join(directory, 'project');
    const installed = path.join(project, 'node_modules');
    mkdirSync(path.join(installed, '@types'), { recursive: true });
    for (const name of readdirSync(path.join(root, 'node_modules'))) {
      if (name.startsWith('.') || name === '@types') continue;
      symlinkSync(path.join(root, 'node_modules', name), path.join(installed, name));
    }
    symlinkSync(path.join(root, 'node_modules/@types/node'), path.join(installed, '@types/node'));
    const ours = path.join(installed, 'republish-operator-configs');
    mkdirSync(ours);
    run('tar', ['xzf', tarball, '-C', ours, '--strip-components', '1']);
    writeFileSync(
      path.join(project, 'migration.ts'),
      ['', '/client', '/worker', '/documents', '/inspection', '/contract']
        .map((entry) => `export * from 'republish-operator-configs${entry}';`)
        .join('\n'),
    );
    const program = ts.createProgram([path.join(project, 'migration.ts')], {
      noEmit: true,
      strict: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      lib: ['lib.es2022.d.ts'],
      types: ['node'],
      // Where `types` are looked for.
      configFilePath: path.join(project, 'tsconfig.json'),
    });
    // What others' types lack (Temporal's want those of ms) is not ours, and to check them takes ten times as
    // long.
    const checked = program
      .getSourceFiles()
      .filter(({ fileName }) => /project\/migration|republish-operator-configs\/dist/.test(fileName));
    expect(checked.length).toBeGreaterThan(20);
    const found = [
      ...program.getOptionsDiagnostics(),
      ...checked.flatMap((file) => [
        ...program.getSyntacticDiagnostics(file),
        ...program.getSemanticDiagnostics(file),
      ]),
    ];
    const told = found.map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
    expect(told).toEqual([]);
  }, 60_000);

  test('whatever its pages link to is in it', () => {
    const unpacked = path.join(directory, 'unpacked');
    mkdirSync(unpacked);
    run('tar', ['xzf', tarball, '-C', unpacked, '--strip-components', '1']);
    const pages = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.md'),
    );
    expect(pages.length).toBeGreaterThan(10);
    const broken = pages.flatMap((page) => {
      const text = readFileSync(path.join(unpacked, page), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, link = '']) => link);
      return links
        .filter((link) => !existsSync(path.join(unpacked, path.dirname(page), link)))
        .map((link) => `${page}: ${link}`);
    });
    expect(broken).toEqual([]);
  });

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
      files.filter((file) => /package\/(test|bench)\/|\.map$|\.env|history|\.test\./.test(file)),
    ).toEqual([]);
  });

  test.each(['client', 'contract', 'documents', 'inspection', 'worker'])(
    'every export of /%s is imported by name, from both module systems',
    (entry) => {
      const name = `republish-operator-configs/${entry}`;
      const exported = JSON.parse(
        run(process.execPath, ['-e', `console.log(JSON.stringify(Object.keys(require('${name}'))))`]),
      ) as string[];
      expect(exported.length).toBeGreaterThan(0);
      // Node reads the names of a CommonJS module without running it: what it cannot see there is missing in
      // `import { }`.
      const source = `import { ${exported.join(', ')} } from '${name}'; console.log([${exported.join(', ')}].every((each) => each !== undefined))`;
      expect(run(process.execPath, ['--input-type=module', '-e', source]).trim()).toBe('true');
    },
  );
});
