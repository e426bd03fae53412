import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Kept between runs, and by the ABI of Node, because what is compiled is good for one. */
const CACHE = path.resolve(__dirname, '../../node_modules/.cache/republish', process.versions.modules);

/** The folder `node_modules` in which a package is once it is installed. */
function folderOf(name: string, version: string): string {
  return path.join(CACHE, `${name}-${version}`, 'node_modules');
}

/**
 * Installs a package that users may have and `npm ci` must not bring: better-sqlite3 may compile for minutes, a second Node is
 * large. What another process is installing is waited for. Of two that begin in the same moment the first one stays.
 *
 * @returns the folder `node_modules` in which it is
 */
export async function installed(name: string, version: string): Promise<string> {
  const modules = folderOf(name, version);
  const folder = path.dirname(modules);
  while (!existsSync(modules) && isBeingMade(folder)) await sleep(200);
  if (existsSync(modules)) return modules;
  const making = `${folder}.${process.pid}`;
  try {
    await mkdir(making, { recursive: true });
    const allowed = { [name]: true };
    await writeFile(
      path.join(making, 'package.json'),
      JSON.stringify({ private: true, dependencies: { [name]: version }, allowScripts: allowed }),
    );
    await promisify(execFile)('npm', ['install', '--prefix', making, '--no-audit', '--no-fund'], {
      cwd: making,
      timeout: 10 * 60_000,
    });
    await rename(making, folder).catch((thrown: unknown) => {
      if (!existsSync(modules)) throw thrown;
    });
    return modules;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** By a process that lives; a folder that one has left behind when it was killed is nobody's. */
function isBeingMade(folder: string): boolean {
  const prefix = `${path.basename(folder)}.`;
  const siblings = existsSync(CACHE) ? readdirSync(CACHE) : [];
  return siblings.some((name) => name.startsWith(prefix) && isAlive(Number(name.slice(prefix.length))));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
