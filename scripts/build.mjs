// Builds dist/: TypeScript, the SQL files beside the code that reads them, and the workflow bundle, which is made
// ahead of time so that a worker is polling a second after it starts instead of bundling first.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
process.chdir(root);

rmSync('dist', { recursive: true, force: true });
const tsc = spawnSync(
  process.execPath,
  [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    stdio: 'inherit',
  },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

mkdirSync('dist/database', { recursive: true });
cpSync('database/migrations', 'dist/database/migrations', { recursive: true });
cpSync('database/reference-schema.sql', 'dist/database/reference-schema.sql');
chmodSync('dist/client/cli/main.js', 0o755);

const { bundleWorkflowCode } = await import('@temporalio/worker');
const quiet = { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
const { code } = await bundleWorkflowCode({
  workflowsPath: path.join(root, 'dist/workflows/index.js'),
  logger: quiet,
});
writeFileSync('dist/worker/workflow-bundle.js', code);
