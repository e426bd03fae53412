// Types, lint, format and unused exports, two at a time. Each says its own name with what it has found.
import { spawn } from 'node:child_process';

const CHECKS = [
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
