// npm run test:faults: every row of docs/reliability.md, with more scenarios and more documents than in `npm test`.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const jest = spawn(
  process.execPath,
  [path.join(root, 'node_modules/jest/bin/jest.js'), 'test/faults', 'test/replay', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: { SOAK_SEEDS: '24', REPUBLISH_TEST_MACHINES: '500', ...process.env },
  },
);
// Ctrl-C reaches jest too, which ends its servers; this one only waits for it.
process.on('SIGINT', () => undefined);
jest.on('exit', (code) => (process.exitCode = code ?? 1));
