import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Runs jest with these arguments and environment. Its exit code becomes the exit code of this process. */
export function runJest(args, env) {
  const jest = spawn(process.execPath, [path.join(root, 'node_modules/jest/bin/jest.js'), ...args], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  // Ctrl-C reaches jest too, which stops its servers. This process only waits for it.
  process.on('SIGINT', () => undefined);
  jest.on('exit', (code) => (process.exitCode = code ?? 1));
}
