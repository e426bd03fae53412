import { spawn } from 'node:child_process';
import path from 'node:path';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');

/** Where a driver for SQLite is, see global-setup.ts. */
export function nodePath(): Record<string, string> {
  return process.env.NODE_PATH === undefined ? {} : { NODE_PATH: process.env.NODE_PATH };
}

/**
 * Runs `republish` as a user does: the built command line, in a process of its own, with this environment and
 * no other.
 *
 * @param onOutput told of all it has written so far, on either stream, whenever there is more
 */
export function republish(
  args: string[],
  env: Record<string, string> = {},
  input = '',
  onOutput: (written: string) => void = () => undefined,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [COMMAND_LINE, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...nodePath(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
    onOutput(stdout + stderr);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
    onOutput(stdout + stderr);
  });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? (signal ? 128 : 1), stdout, stderr }));
  });
}
