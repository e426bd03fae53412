import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Runs jest with these arguments and environment; its exit code becomes this process's. */
export function runJest(args, env) {
  const jest = spawn(process.execPath, [path.join(root, 'node_modules/jest/bin/jest.js'), ...args], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  // Ctrl-C reaches jest too, which ends its servers; this one only waits for it.
  process.on('SIGINT', () => undefined);
  jest.on('exit', (code) => (process.exitCode = code ?? 1));
}
