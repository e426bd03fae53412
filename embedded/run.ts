import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface RunResult {
  /** Exit code 0. */
  ok: boolean;
  stdout: string;
  /**
   * Why the command failed, in one line: its last error line, the signal, the timeout, or why it did not
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
  /** A file descriptor of this process. The command gets it as descriptor 3. */
  inherit?: number;
}

const MAX_OUTPUT_CHARS = 20_000;
/** How long to wait for output after the command has ended. */
const OUTPUT_GRACE_MS = 300;

/**
 * Runs a command, for `timeoutMs` at most. It never rejects. execFile would wait for grandchildren that keep
 * the output open after the command was killed, so its timeout is no limit.
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

/** The last line that is marked as an error, else the last line. */
function lastLine(text: string): string | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.findLast((line) => /^error\b|\b(error|fatal|panic):/i.test(line)) ?? lines.at(-1);
}
