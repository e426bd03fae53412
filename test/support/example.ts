import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { transformFileSync } from '@swc/core';
import { until } from './until';

const ROOT = path.resolve(__dirname, '../..');

export interface ExampleProject {
  /** Runs a file of examples/ to its end. */
  run(file: string, args: string[], env: Record<string, string>): Promise<Ended>;
  /** Starts a file of examples/ and waits until it has written `text`; `stop` sends SIGTERM. */
  start(file: string, env: Record<string, string>, text: string): Promise<{ stop(): Promise<Ended> }>;
  remove(): void;
}

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A project of its own that has this package as a dependency, as whoever copies an example has. */
export function exampleProject(): ExampleProject {
  const directory = mkdtempSync(path.join(tmpdir(), 'republish-example-'));
  mkdirSync(path.join(directory, 'node_modules'));
  symlinkSync(ROOT, path.join(directory, 'node_modules/republish-operator-configs'), 'dir');
  symlinkSync(path.join(ROOT, 'node_modules/zod'), path.join(directory, 'node_modules/zod'), 'dir');

  const begin = (file: string, args: string[], env: Record<string, string>): Started => {
    const { code } = transformFileSync(path.join(ROOT, 'examples', file), {
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    const compiled = path.join(directory, `${path.basename(file, '.ts')}.js`);
    writeFileSync(compiled, code);
    const child = spawn(process.execPath, [compiled, ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Started(child);
  };
  return {
    run: (file, args, env) => begin(file, args, env).ended,
    async start(file, env, text) {
      const started = begin(file, [], env);
      await Promise.race([
        until(() => started.stderr.includes(text), 40_000),
        started.ended.then(({ stderr }) => Promise.reject(new Error(`${file} ended: ${stderr}`))),
      ]);
      return { stop: () => started.stop() };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

class Started {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;

  constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)));
    child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)));
    this.ended = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  stop(): Promise<Ended> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}
