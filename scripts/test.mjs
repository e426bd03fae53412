// `npm test`: the tests, first those without servers, and beside them the checks (checks.mjs). Many tests
// wait for servers and clocks: the checks have a low priority and take the processor time that is left over.
// A failure ends nothing else, and what the checks have found is shown again at the end.
import { spawn } from 'node:child_process';
import os from 'node:os';

if (process.argv.length > 2) {
  console.error(
    'npm test runs everything and takes no arguments. For one file: npx jest test/unit/window.test.ts',
  );
  process.exit(2);
}

const LOW = os.constants.priority.PRIORITY_BELOW_NORMAL;

function npmRun(script, stdout) {
  return spawn('npm', ['run', '--silent', script], {
    stdio: ['inherit', stdout, 'inherit'],
    shell: process.platform === 'win32',
  });
}

/** Whether it has ended well. */
function ended(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(error.message);
      resolve(false);
    });
    child.once('close', (code) => resolve(code === 0));
  });
}

const checks = npmRun('checks', 'pipe');
if (checks.pid !== undefined) os.setPriority(checks.pid, LOW);
let found = '';
checks.stdout.on('data', (chunk) => {
  found += chunk;
  process.stdout.write(chunk);
});
const checked = ended(checks);

const tested = [];
for (const script of ['test:unit', 'test:servers']) tested.push(await ended(npmRun(script, 'inherit')));
const isClean = await checked;
if (!isClean) console.log(found);
process.exitCode = isClean && tested.every(Boolean) ? 0 : 1;
