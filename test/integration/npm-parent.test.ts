import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { programThatReadsTypeScript } from '../support/child-program';

const root = path.resolve(__dirname, '../..');

const PROGRAM = `
  require('./client/cli/npm-parent').endWithNpx();
  process.once('SIGTERM', () => { console.log('told to end'); process.exit(0); });
  setInterval(() => undefined, 1_000);
  console.log('running');
`;

test('SIGTERM for npx reaches the program behind its shell', async () => {
  const npx = spawn('npm', ['exec', '-c', '"$REPUBLISH_NODE" -e "$REPUBLISH_PROGRAM"; exit $?'], {
    cwd: root,
    env: {
      ...process.env,
      REPUBLISH_NODE: process.execPath,
      REPUBLISH_PROGRAM: programThatReadsTypeScript(PROGRAM),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  npx.stdout.on('data', (chunk) => {
    lines.push(...String(chunk).trim().split('\n'));
    if (lines.at(-1) === 'running') npx.kill('SIGTERM');
  });
  // The pipe is open for as long as the program lives, which npm does not wait for.
  await once(npx.stdout, 'close');
  expect(lines).toEqual(['running', 'told to end']);
});
