import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { within } from '../async/wait';

export interface ProcessGroupOptions {
  /** The name in error messages. */
  name: string;
  command: string;
  args: string[];
  /** All variables of the process: it inherits none. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid?: number;
  gid?: number;
  /** A file descriptor of this process. The new process gets it as descriptor 3. */
  inherit?: number;
  /** Called with each line of standard error. Standard output is discarded. */
  onLine?: (line: string) => void;
  /**
   * When this process ends without stopping the group: the signal to send, and a directory to remove after
   * it.
   */
  orphan: { signal: NodeJS.Signals; removeDir?: string };
}

export interface ProcessGroup {
  readonly pid: number;
  /** Resolves when the process has ended and its output is read. It never rejects. */
  readonly exited: Promise<void>;
  hasExited(): boolean;
  /** How the process ended, and its last lines of standard error, for an error message. */
  epitaph(): string;
  /** Sends a signal to the whole group. Does nothing when the process has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Sends `signal`, then SIGKILL after `killAfterMs`, and waits for the end. */
  stop(signal: NodeJS.Signals, killAfterMs: number): Promise<void>;
}

const LAST_LINES = 15;

/**
 * Starts a process in a group of its own. So Ctrl-C in the terminal reaches only this program, which then
 * stops its servers in order.
 *
 * @throws Error the command is missing or not executable
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
      kill('SIGCONT'); // a stopped process (SIGSTOP) does not handle signals
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
    // The group has ended already.
  }
}

/**
 * Ends the group when this process ends without stopping it. There are two guards, because each has a gap:
 * - The `exit` handler acts before the process is gone. It does not run after SIGKILL, after a signal without
 *   a handler, or inside jest, where `process` is a copy.
 * - A shell reads from a pipe of this process. It sees the end of the pipe in every case, but a moment later.
 *
 * @returns a function that removes both guards. Call it when the group has ended
 */
function guard(pid: number, orphan: ProcessGroupOptions['orphan']): () => void {
  const onExit = (): void => {
    signalGroup(pid, orphan.signal);
    if (orphan.removeDir === undefined) return;
    try {
      rmSync(orphan.removeDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    } catch {
      // The shell removes the rest.
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
  shell.on('error', () => undefined); // without /bin/sh (Windows) there is only the `exit` handler
  shell.stdin?.on('error', () => undefined);
  // Neither the shell nor its pipe may keep this process alive.
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void } | null)?.unref?.();

  return () => {
    process.removeListener('exit', onExit);
    shell.stdin?.end('ended\n');
  };
}
