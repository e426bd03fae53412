// What `npm test` does before the tests: types, lint, format, unused exports, two at a time, and beside them
// what the tests need and has to be compiled. Each says its own name with what it has found.
import { spawn } from 'node:child_process';

const CHECKS = [
  ['prepare', 'node', 'scripts/run-typescript.cjs', 'test/support/prepare.ts'],
  ['lint', 'npm', 'run', '--silent', 'lint'],
  ['types', 'npm', 'run', '--silent', 'types'],
  ['format:check', 'npm', 'run', '--silent', 'format:check'],
  ['unused', 'npm', 'run', '--silent', 'unused'],
];
const AT_ONCE = 2;

function run([name, command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => (output += error.message));
    child.once('close', (code) => {
      console.log(`${name}: ${code === 0 ? 'ok' : `failed\n${output}`}`);
      resolve(code === 0);
    });
  });
}

const queue = CHECKS.values();
let good = true;
async function lane() {
  for (const check of queue) good = (await run(check)) && good;
}
await Promise.all(Array.from({ length: AT_ONCE }, lane));
process.exitCode = good ? 0 : 1;
