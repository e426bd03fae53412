// Builds dist/: TypeScript, the SQL files next to the code that reads them, and the workflow bundle. With a
// bundle from here a worker polls a second after its start. Without one it has to make it first.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { withEmptySourceMap } = require('./empty-source-map.cjs');
process.chdir(root);

// Built in another folder and renamed at the end: a program that runs from dist/ meanwhile keeps its files.
const next = `dist.${process.pid}`;
process.on('exit', () => rmSync(next, { recursive: true, force: true }));
const compiler = require.resolve('typescript/bin/tsc');
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

if (existsSync('dist')) renameSync('dist', `${next}.old`);
renameSync(next, 'dist');
rmSync(`${next}.old`, { recursive: true, force: true });
