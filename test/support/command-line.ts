import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { Socket } from 'node:net';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');
const COMMAND_SERVER = path.resolve(__dirname, 'command-server.cjs');

/** Where a driver for SQLite is, see global-setup.ts. */
export function nodePath(): Record<string, string> {
  return process.env.NODE_PATH === undefined ? {} : { NODE_PATH: process.env.NODE_PATH };
}

/**
 * Runs the built command line with this environment and no other. A command that gets input, whose output is
 * followed, or that starts a worker or servers, runs in a process of its own, as for a user. Every other
 * command runs in a process that has run commands before: that costs a sixth of the CPU.
 *
 * @param onOutput called with all output so far, of both streams, whenever there is more
 */
export function republish(
  args: string[],
  env: Record<string, string> = {},
  input = '',
  onOutput?: (written: string) => void,
): Promise<CommandResult> {
  const whole = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...nodePath(), ...env };
  return input !== '' || onOutput !== undefined || startsSomething(args, env)
    ? republishAlone(args, whole, input, onOutput)
    : serverThatIsFree().run(args, whole);
}

const STARTS = new Set(['worker', 'up', 'dev', 'demo']);

function startsSomething(args: string[], env: Record<string, string>): boolean {
  // A configuration file may name a data folder. Such a command needs a new process: the modules that
  // `import()` loads stay loaded, and they would still know the servers of the folder before.
  const mayUseData = args.includes('--data') || 'REPUBLISH_DATA' in env || 'REPUBLISH_CONFIG' in env;
  return mayUseData || args.some((arg) => STARTS.has(arg));
}

function republishAlone(
  args: string[],
  env: Record<string, string>,
  input: string,
  onOutput: (written: string) => void = () => undefined,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [COMMAND_LINE, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
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

/** A process of command-server.cjs, and whether it runs a command now. */
class CommandServer {
  isFree = true;
  private readonly child: ChildProcess;
  private readonly answers: Socket;
  private readonly errors: Socket;

  constructor() {
    this.child = spawn(process.execPath, [COMMAND_SERVER], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
    });
    this.errors = this.child.stderr as Socket;
    this.answers = this.child.stdio[4] as Socket;
    this.keepAlive(false);
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null || !this.child.connected;
  }

  async run(args: string[], env: Record<string, string>): Promise<CommandResult> {
    this.isFree = false;
    this.keepAlive(true);
    try {
      return await new Promise<CommandResult>((resolve, reject) => {
        let [text, crash] = ['', ''];
        const settle = (finish: () => void): void => {
          this.answers.removeAllListeners('data');
          this.errors.removeAllListeners('data');
          this.child.removeAllListeners();
          finish();
        };
        this.answers.on('data', (chunk) => {
          text += String(chunk);
          if (text.endsWith('\n')) settle(() => resolve(JSON.parse(text) as CommandResult));
        });
        this.errors.on('data', (chunk) => (crash += String(chunk)));
        this.child.once('error', (error) => settle(() => reject(error)));
        this.child.once('close', (code, signal) => {
          if (text === '') settle(() => reject(new Error(`${args.join(' ')}: ${signal ?? code}: ${crash}`)));
        });
        this.child.send({ args, env });
      });
    } finally {
      this.isFree = true;
      this.keepAlive(false);
    }
  }

  /** While it waits for a command, it does not keep the test process alive. It ends with that process. */
  private keepAlive(isNeeded: boolean): void {
    const change = isNeeded ? 'ref' : 'unref';
    for (const handle of [this.child, this.child.channel, this.answers, this.errors]) handle?.[change]();
  }
}

/** Kept for all test files that run in this process, one after the other. */
const SERVERS = Symbol.for('republish test command servers');

function serverThatIsFree(): CommandServer {
  const kept = process as unknown as Record<symbol, CommandServer[] | undefined>;
  const servers = (kept[SERVERS] ?? []).filter(({ isGone }) => !isGone);
  const free = servers.find(({ isFree }) => isFree) ?? new CommandServer();
  kept[SERVERS] = [...new Set([...servers, free])];
  return free;
}
