import { spawn } from 'node:child_process';
import path from 'node:path';

const projectDir = path.resolve(__dirname, '../..');

/** A child process runs the TypeScript sources, not dist/. */
const REQUIRE_TYPESCRIPT = `
  require(${JSON.stringify(path.join(projectDir, 'scripts/require-typescript.cjs'))}).requireTypeScript();
  process.chdir(${JSON.stringify(projectDir)});
`;

/** JavaScript for `node -e` that may `require('./dev/...')` of this project, from the sources. */
export function programThatReadsTypeScript(source: string): string {
  return `${REQUIRE_TYPESCRIPT}\nconst require_ = require('node:module').createRequire(process.cwd() + '/');\n((require) => {${source}\n})(require_);`;
}

export interface ChildProgram {
  /** The first line it printed. */
  firstLine: string;
  kill(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
}

/**
 * Runs JavaScript that may `require('./dev/...')` of this project in a process of its own, until its first
 * line of output. Rejects when it ends without one.
 */
export function startChildProgram(source: string): Promise<ChildProgram> {
  const program = programThatReadsTypeScript(source);
  const child = spawn(process.execPath, ['-e', program], {
    cwd: projectDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 0));
  });
  return new Promise((resolve, reject) => {
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
      const end = stdout.indexOf('\n');
      if (end >= 0) resolve({ firstLine: stdout.slice(0, end), kill: (signal) => child.kill(signal), ended });
    });
    child.once('close', () => reject(new Error(`the child program ended without a word: ${stderr}`)));
  });
}

/** Waits until there is no such process, not even as a zombie; rejects after `timeoutMs`. */
export async function untilProcessGone(pid: number, timeoutMs = 30_000): Promise<void> {
  for (const deadlineMs = Date.now() + timeoutMs; ;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (Date.now() > deadlineMs) throw new Error(`process ${pid} is still there after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
