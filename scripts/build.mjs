// Builds dist/: TypeScript, the SQL files next to the code that reads them, and the workflow bundle. With a
// bundle from here a worker polls a second after its start. Without one it has to make it first.
//
// `--if-changed`: does nothing when dist/ was made from the same sources. `npm ci` builds too, so the tests of a
// fresh clone need no second build.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { withEmptySourceMap } = require('./empty-source-map.cjs');
process.chdir(root);

const STAMP = 'sources.sha256';

/** A hash of every file that the build reads. */
function hashOfSources() {
  const { include } = JSON.parse(readFileSync('tsconfig.build.json', 'utf8'));
  const inFolders = include.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name)),
  );
  const others = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
  ];
  const hash = createHash('sha256');
  for (const file of [...inFolders, ...others].sort())
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

/** TypeScript 7 compiles four times as fast. An install without optional packages lacks its program. */
function compilerOf() {
  try {
    const native = createRequire(require.resolve('typescript-7/package.json'));
    native.resolve(`@typescript/typescript-${process.platform}-${process.arch}/package.json`);
    return 'node_modules/typescript-7/bin/tsc';
  } catch {
    // The linter and the tests use its API.
    return 'node_modules/typescript/bin/tsc';
  }
}

const sources = hashOfSources();
const isSame = existsSync(`dist/${STAMP}`) && readFileSync(`dist/${STAMP}`, 'utf8') === sources;
if (process.argv.includes('--if-changed') && isSame) process.exit();

// Built in another folder and renamed at the end: a program that runs from dist/ meanwhile keeps its files.
const next = `dist.${process.pid}`;
process.on('exit', () => rmSync(next, { recursive: true, force: true }));
const compiler = compilerOf();
const tsc = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', next], {
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

cpSync('database/migrations', `${next}/database/migrations`, { recursive: true });
cpSync('dev/lnbits-tables.sql', `${next}/dev/lnbits-tables.sql`);
chmodSync(`${next}/client/cli/main.js`, 0o755);

const { bundleWorkflowCode } = await import('@temporalio/worker');
const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
const { code } = await bundleWorkflowCode({
  workflowsPath: path.join(root, next, 'workflows/index.js'),
  logger: quiet,
});
writeFileSync(`${next}/worker/workflow-bundle.js`, withEmptySourceMap(code));
writeFileSync(`${next}/${STAMP}`, sources);

if (existsSync('dist')) renameSync('dist', `${next}.old`);
renameSync(next, 'dist');
rmSync(`${next}.old`, { recursive: true, force: true });
