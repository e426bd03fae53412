import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { within } from '../async/wait';

export interface ProcessGroupOptions {
  /** What it is called in error messages. */
  name: string;
  command: string;
  args: string[];
  /** The whole environment: nothing is inherited. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid?: number;
  gid?: number;
  /** A file descriptor of ours that it gets as its number 3. */
  inherit?: number;
  /** Every line of its standard error. Its standard output is discarded. */
  onLine?: (line: string) => void;
  /**
   * If this process ends without having stopped it: the signal that ends it, and a directory to remove
   * afterwards.
   */
  orphan: { signal: NodeJS.Signals; removeDir?: string };
}

export interface ProcessGroup {
  readonly pid: number;
  /** Resolves when the process has ended and been reaped; never rejects. */
  readonly exited: Promise<void>;
  hasExited(): boolean;
  /** How it ended and its last lines of standard error, for an error message. */
  epitaph(): string;
  /** Signals the whole group; nothing happens when it has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Sends `signal`, then SIGKILL after `killAfterMs`, and waits for the end. */
  stop(signal: NodeJS.Signals, killAfterMs: number): Promise<void>;
}

const LAST_LINES = 15;

/**
 * Starts a process in a group of its own, so that Ctrl-C in the terminal reaches only this program, which
 * then stops its servers in order. Throws when the command cannot be run (missing, or not executable).
 */
export async function startProcessGroup(options: ProcessGroupOptions): Promise<ProcessGroup> {
  const child = spawn(options.command, options.args, {
    detached: true,
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'ignore', 'pipe', ...(options.inherit === undefined ? [] : [options.inherit])],
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  await once(child, 'spawn').catch((error: Error) => {
    throw new Error(`${options.name} could not be run: ${error.message}`, { cause: error });
  });
  const pid = child.pid as number;

  const lastLines: string[] = [];
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    lastLines.push(line);
    if (lastLines.length > LAST_LINES) lastLines.shift();
    options.onLine?.(line);
  });

  let ending: string | undefined;
  const dismissGuard = guard(pid, options.orphan);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
      dismissGuard();
    });
    // 'close' comes after 'exit', when the last of its standard error has been read.
    child.once('close', () => resolve());
  });
  const kill = (signal: NodeJS.Signals): void => {
    if (ending === undefined) signalGroup(pid, signal);
  };

  return {
    pid,
    exited,
    hasExited: () => ending !== undefined,
    epitaph: () => `${ending ?? 'still running'}${lastLines.map((line) => `\n  ${line}`).join('')}`,
    kill,
    async stop(signal, killAfterMs) {
      kill(signal);
      kill('SIGCONT'); // a process that a test has frozen would not see the signal
      const isOver = exited.then(() => true);
      if (!(await within(isOver, killAfterMs))) kill('SIGKILL');
      await exited;
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

/**
 * Ends the group when this process ends without having done so. Two ways, because neither is enough: the
 * 'exit' handler acts before the process is gone but does not run on SIGKILL, on a signal without handler (a
 * Ctrl-C that nobody listens for) or inside jest, whose `process` is a copy; the shell that reads from a pipe
 * sees its end whatever happened.
 *
 * @returns to be called when the group has ended by itself or was stopped.
 */
function guard(pid: number, orphan: ProcessGroupOptions['orphan']): () => void {
  const onExit = (): void => {
    signalGroup(pid, orphan.signal);
    if (orphan.removeDir === undefined) return;
    try {
      rmSync(orphan.removeDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    } catch {
      // The shell below removes what is left.
    }
  };
  process.on('exit', onExit);

  const script = [
    'read -r ended && exit 0',
    'kill -s "$2" -- "-$1"',
    'tenths=0; while kill -0 "$1" && [ $tenths -lt 50 ]; do sleep 0.1; tenths=$((tenths + 1)); done',
    'kill -s KILL -- "-$1"',
    '[ -z "$3" ] || rm -rf -- "$3"',
  ].join('\n');
  const args = ['-c', script, 'guard', String(pid), orphan.signal.replace('SIG', ''), orphan.removeDir ?? ''];
  const shell: ChildProcess = spawn('/bin/sh', args, {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.on('error', () => undefined); // no /bin/sh (Windows): the 'exit' handler alone has to do
  shell.stdin?.on('error', () => undefined);
  // Neither the shell nor its pipe may keep this process alive.
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();

  return () => {
    process.removeListener('exit', onExit);
    shell.stdin?.end('ended\n');
  };
}
