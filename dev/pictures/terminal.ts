import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { shellWord } from '../../rules/shell';

export interface TerminalView {
  /** Arguments of `republish`. */
  args: string[];
  /** Take the picture when the command has written this. Default: when the command has ended. */
  until?: RegExp;
  /** How long to wait after `until`. Default: 0. */
  thenMs?: number;
  columns?: number;
}

/** A part of a page, in pixels. */
export interface Clip {
  x: number;
  y: number;
  width: number;
  height: number;
}

const COMMAND_LINE = path.join(__dirname, '../../client/cli/main.js');
const ROWS = 60;
const WITHIN_MS = 60_000;

/** Runs `republish` in a pseudo-terminal. @returns its output, with the escape sequences */
export async function recordTerminal(view: TerminalView, env: Record<string, string>): Promise<string> {
  const { args, until, thenMs = 0, columns = 110 } = view;
  const words = [process.execPath, COMMAND_LINE, ...args].map(shellWord).join(' ');
  // `script` (util-linux) is on every Linux. It makes a real pseudo-terminal, and its command ends with it.
  const child = spawn(
    'script',
    ['-qfec', `stty cols ${columns} rows ${ROWS} -echo; exec ${words}`, '/dev/null'],
    { env: { PATH: process.env.PATH ?? '', TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env } },
  );
  child.stdin.on('error', () => undefined);
  let text = '';
  let seen: () => void = () => undefined;
  const found = new Promise<void>((resolve) => (seen = resolve));
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
    if (until?.test(text)) seen();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const late = setTimeout(seen, WITHIN_MS);
  await Promise.race([found, ended]);
  if (thenMs > 0) await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, thenMs))]);
  clearTimeout(late);
  const taken = text;
  child.kill('SIGKILL');
  await ended;
  if (until !== undefined && !until.test(taken))
    throw new Error(`republish ${args.join(' ')} never wrote ${until}; it wrote: ${taken.slice(-1_000)}`);
  return taken;
}

/** Writes the report of a run or a fleet into a new folder. @returns the path of the file */
export async function writeReport(subject: string, env: Record<string, string>): Promise<string> {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'republish-report-')), 'report.html');
  const child = spawn(process.execPath, [COMMAND_LINE, 'report', subject, '--html', file], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`republish report ${subject} ended with ${code}`);
  return file;
}

/**
 * Shows the output of a command in a terminal on the page.
 *
 * @returns the part of the page with the terminal
 */
export async function showTerminal(
  page: Page,
  command: string,
  written: string,
  columns = 110,
): Promise<Clip> {
  const font = await readFile(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf'));
  await page.setContent(`<!doctype html><style>
    @font-face { font-family: terminal; src: url(data:font/ttf;base64,${font.toString('base64')}); }
    body { margin: 0; background: #16181d; } #terminal { display: inline-block; padding: 14px; }
    .xterm-viewport, .xterm-cursor, .scrollbar { visibility: hidden; }</style><div id="terminal"></div>`);
  const xterm = path.dirname(require.resolve('@xterm/xterm/package.json'));
  await page.addStyleTag({ path: path.join(xterm, 'css/xterm.css') });
  await page.addScriptTag({ path: path.join(xterm, 'lib/xterm.js') });
  const text = `\x1b[1m$ ${command}\x1b[0m\r\n${written}`;
  // As text: these lines run in the browser, so the compiler cannot check them.
  const rows = await page.evaluate(`(async () => {
    await document.fonts.load('15px terminal');
    const terminal = new Terminal({ cols: ${columns}, rows: ${ROWS}, fontFamily: 'terminal', fontSize: 15,
      cursorInactiveStyle: 'none', theme: { background: '#16181d', foreground: '#d8dbe2' } });
    terminal.open(document.getElementById('terminal'));
    await new Promise((written) => terminal.write(${JSON.stringify(text)}, written));
    await new Promise((shown) => setTimeout(shown, 300));
    const { active } = terminal.buffer;
    let last = active.length - 1;
    while (last > 0 && active.getLine(last).translateToString(true) === '') last -= 1;
    return (last + 1) / terminal.rows;
  })()`);
  const box = await page.locator('.xterm-screen').boundingBox();
  if (box === null) throw new Error('the terminal is not on the page');
  const height = Math.ceil(box.height * Math.min(1, Number(rows)));
  return { x: 0, y: 0, width: Math.ceil(box.width) + 28, height: height + 28 };
}
