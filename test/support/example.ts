import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { transformFileSync } from '@swc/core';

const ROOT = path.resolve(__dirname, '../..');

export interface ExampleProject {
  /** Runs a file of examples/ to its end. */
  run(file: string, args: string[], env: Record<string, string>): Promise<Ended>;
  /** Copies a folder of examples/ into the project; the path of its configuration file. */
  copy(folder: string): string;
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

  const run = async (file: string, args: string[], env: Record<string, string>): Promise<Ended> => {
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
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { code: exitCode, stdout, stderr };
  };
  return {
    run,
    copy(folder) {
      cpSync(path.join(ROOT, 'examples', folder), path.join(directory, folder), { recursive: true });
      return path.join(directory, folder, 'republish.config.json');
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
