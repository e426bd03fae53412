import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** Kept between runs, and by the ABI of Node, because what is compiled is good for one. */
const CACHE = path.resolve(__dirname, '../../node_modules/.cache/republish', process.versions.modules);

/**
 * Installs a package that users may have and `npm ci` must not bring: better-sqlite3 may compile for minutes,
 * a second Node is large. Safe beside others that install the same: each installs in a folder of its own, and
 * the first one stays.
 *
 * @returns the folder `node_modules` in which it is
 */
export async function installed(name: string, version: string): Promise<string> {
  const folder = path.join(CACHE, `${name}-${version}`);
  const modules = path.join(folder, 'node_modules');
  if (existsSync(modules)) return modules;
  const making = `${folder}.${process.pid}`;
  try {
    await mkdir(making, { recursive: true });
    const allowed = { [name]: true };
    await writeFile(
      path.join(making, 'package.json'),
      JSON.stringify({ private: true, dependencies: { [name]: version }, allowScripts: allowed }),
    );
    // A package without a binary for this machine is compiled. It serves the tests only: without optimisation
    // that takes a third of the time.
    await promisify(execFile)('npm', ['install', '--prefix', making, '--no-audit', '--no-fund'], {
      cwd: making,
      timeout: 10 * 60_000,
      env: { ...process.env, CFLAGS: '-O0', CXXFLAGS: '-O0' },
    });
    await rename(making, folder).catch((thrown: unknown) => {
      if (!existsSync(modules)) throw thrown;
    });
    return modules;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}
