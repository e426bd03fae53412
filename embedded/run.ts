import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface RunResult {
  /** Exit code 0. */
  ok: boolean;
  stdout: string;
  /**
   * Why it failed, in one line: the end of its standard error, the signal, the timeout, or why it could not
   * start.
   */
  reason: string;
}

export interface RunOptions {
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** A file descriptor of ours that it gets as its number 3. */
  inherit?: number;
}

const MAX_OUTPUT_CHARS = 20_000;
/** How long after the end of the process its output may still arrive. */
const OUTPUT_GRACE_MS = 300;

/**
 * Runs a command to its end, bounded by `timeoutMs`; never rejects. Unlike execFile it does not wait for
 * grandchildren that keep the output open after the command was killed, which would defeat the bound.
 */
export function run(command: string, args: string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    const { timeoutMs: _, inherit, ...how } = options;
    const child: ChildProcessByStdio<null, Readable, Readable> = spawn(command, args, {
      ...how,
      stdio: ['ignore', 'pipe', 'pipe', ...(inherit === undefined ? [] : [inherit])],
    }) as ChildProcessByStdio<null, Readable, Readable>;
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    child.stdout
      .setEncoding('utf8')
      .on('data', (text: string) => (stdout = (stdout + text).slice(0, MAX_OUTPUT_CHARS)));
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (stderr = (stderr + text).slice(-MAX_OUTPUT_CHARS)));
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs);

    const finish = (ok: boolean, reason: string): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ ok, stdout, reason });
    };
    child.once('error', (error) => finish(false, error.message));
    child.once('exit', (code, signal) => {
      const conclude = (): void => {
        if (timedOut) return finish(false, `no answer within ${options.timeoutMs / 1000} s`);
        if (code === 0) return finish(true, '');
        finish(false, lastLine(stderr) ?? (signal === null ? `exit code ${code}` : `ended by ${signal}`));
      };
      const grace = setTimeout(conclude, OUTPUT_GRACE_MS);
      child.once('close', () => {
        clearTimeout(grace);
        conclude();
      });
    });
  });
}

/** The line that says what went wrong: the last that calls itself an error, else the last. */
function lastLine(text: string): string | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.findLast((line) => /^error\b|\b(error|fatal|panic):/i.test(line)) ?? lines.at(-1);
}
