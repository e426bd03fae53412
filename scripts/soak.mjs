// npm run test:soak -- [--minutes N | --seeds N] [--seed S]: random scenarios (row 35 of docs/reliability.md), one line for
// each; ends at the first violation with its seed.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seeds: { type: 'string' }, seed: { type: 'string' } },
});
for (const [name, value] of Object.entries(values)) {
  if (!/^\d+(\.\d+)?$/.test(value)) throw new Error(`--${name} must be a number, not "${value}"`);
}
const { minutes, seeds = '200', seed = '1' } = values;
const jest = spawn(
  process.execPath,
  [path.join(root, 'node_modules/jest/bin/jest.js'), 'test/faults/35-random-scenarios'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      SOAK_SEED: seed,
      SOAK_SEEDS: seeds,
      ...(minutes === undefined ? {} : { SOAK_MINUTES: minutes }),
    },
  },
);
// Ctrl-C reaches jest too, which ends its servers; this one only waits for it.
process.on('SIGINT', () => undefined);
jest.on('exit', (code) => (process.exitCode = code ?? 1));
