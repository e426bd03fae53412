import { spawn } from 'node:child_process';
import path from 'node:path';
import { Terminal } from '@xterm/headless';
import { programThatReadsTypeScript } from './child-program';

const COMMAND_LINE = path.resolve(__dirname, '../../dist/client/cli/main.js');

/**
 * Runs a command in a pseudo-terminal of the given columns and rows, and passes on what it writes. Lines on
 * standard input are orders: `type <json text>`, `resize <columns> <rows>`. Python has pty in its standard
 * library, Node has not.
 */
const BRIDGE = `
import fcntl, json, os, pty, select, signal, struct, sys, termios

columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    # The size must be there before the first look at it.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(command[0], command)

orders = b""
watched = [terminal, 0]
while True:
    ready, _, _ = select.select(watched, [], [])
    if terminal in ready:
        try:
            written = os.read(terminal, 65536)
        except OSError:
            written = b""
        if not written:
            break
        os.write(1, written)
    if 0 in ready:
        read = os.read(0, 65536)
        if not read:
            watched.remove(0)
            os.kill(pid, signal.SIGKILL)
        orders += read
        while b"\\n" in orders:
            order, orders = orders.split(b"\\n", 1)
            name, argument = order.decode().split(" ", 1)
            if name == "type":
                os.write(terminal, json.loads(argument).encode())
            else:
                columns, rows = map(int, argument.split())
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.kill(pid, signal.SIGWINCH)
_, status = os.waitpid(pid, 0)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
`;

export interface PseudoTerminal {
  /** Everything that was written, with its escape sequences. */
  written(): string;
  /** What a person sees now: the rows of the terminal, without the empty ones at the end. */
  screen(): string;
  /** As if typed on the keyboard; '\u0003' is Ctrl-C. */
  type(text: string): void;
  resize(columns: number, rows: number): void;
  /** Exit code; 128 and the signal's number when a signal ended it. */
  ended: Promise<number>;
  /** Ends it, if it has not ended. */
  stop(): Promise<void>;
}

export interface PseudoTerminalOptions {
  env?: Record<string, string>;
  columns?: number;
  rows?: number;
}

/** Runs `republish` as a person does who sits before a terminal. */
export function republishInTerminal(
  args: string[],
  { env = {}, columns = 80, rows = 24 }: PseudoTerminalOptions = {},
): PseudoTerminal {
  return inTerminal([process.execPath, COMMAND_LINE, ...args], { env, columns, rows });
}

/** Runs JavaScript there that may `require('./client/...')` of this project, from the sources. */
export function programInTerminal(
  source: string,
  { env = {}, columns = 80, rows = 24 }: PseudoTerminalOptions = {},
): PseudoTerminal {
  const program = programThatReadsTypeScript(source);
  return inTerminal([process.execPath, '-e', program], { env, columns, rows });
}

function inTerminal(
  command: string[],
  { env, columns, rows }: Required<PseudoTerminalOptions>,
): PseudoTerminal {
  const child = spawn('python3', ['-c', BRIDGE, String(columns), String(rows), ...command], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let written = '';
  const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    written += chunk;
    terminal.write(chunk);
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (complaints += chunk));
  // Orders to a command that has just ended.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (complaints !== '') return reject(new Error(complaints));
      // What was written is on the screen a moment later.
      terminal.write('', () => resolve(signal ? 128 : (code ?? 1)));
    });
  });
  ended.catch(() => undefined); // whoever waits for it hears of it
  return {
    written: () => written,
    screen: () => textOf(terminal),
    type: (text) => void child.stdin.write(`type ${JSON.stringify(text)}\n`),
    resize(newColumns, newRows) {
      terminal.resize(newColumns, newRows);
      child.stdin.write(`resize ${newColumns} ${newRows}\n`);
    },
    ended,
    async stop() {
      child.stdin.end();
      await ended.catch(() => undefined);
    },
  };
}

function textOf({ buffer, rows }: Terminal): string {
  const { active } = buffer;
  const lines = Array.from(
    { length: rows },
    (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '',
  );
  return lines.join('\n').trimEnd();
}
