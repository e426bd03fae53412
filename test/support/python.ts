import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const PROJECT_DIR = path.resolve(__dirname, '../..');
const EXAMPLE_DIR = path.join(PROJECT_DIR, 'examples/python');
const CACHE_DIR = path.join(PROJECT_DIR, 'node_modules/.cache/python-example');

const RUN_TIMEOUT_MS = 50_000;
const INSTALL_TIMEOUT_MS = 180_000;

export interface Ended {
  /** Null when it was ended by a signal, as after 50 s. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface PythonExample {
  /**
   * Runs python3 in examples/python with the packages of requirements.txt; `env` is added to this process's
   * own.
   */
  run(args: string[], env: Record<string, string>): Promise<Ended>;
}

/**
 * Makes ready what the Python example needs. The first call installs its packages, which takes a download;
 * they are kept under node_modules/.cache until requirements.txt or the Python changes.
 *
 * @throws Error that says what to install when python3 >= 3.10 or pip is missing
 */
export async function preparePythonExample(): Promise<PythonExample> {
  const { command, fingerprint } = await findPython();
  const packages = await installPackages(command, fingerprint);
  return {
    run: (args, env) =>
      run(command, args, RUN_TIMEOUT_MS, {
        ...withoutTemporalSettings(process.env),
        // Not the profile of whoever runs the tests.
        TEMPORAL_CONFIG_FILE: os.devNull,
        ...env,
        PYTHONPATH: [packages, EXAMPLE_DIR].join(path.delimiter),
        // examples/ is published as it is.
        PYTHONDONTWRITEBYTECODE: '1',
      }),
  };
}

/** What decides which packages fit: interpreter, version and platform. Exits 3 when it is too old. */
const DESCRIBE = [
  'import sys, sysconfig',
  'print(sys.implementation.cache_tag, sys.version, sysconfig.get_platform())',
  'sys.exit(0 if sys.version_info >= (3, 10) else 3)',
].join('\n');

async function findPython(): Promise<{ command: string; fingerprint: string }> {
  const found: string[] = [];
  for (const command of ['python3', 'python']) {
    const { exitCode, stdout } = await run(command, ['-c', DESCRIBE], RUN_TIMEOUT_MS, process.env);
    if (exitCode === 0) return { command, fingerprint: stdout };
    if (exitCode === 3) found.push(`${command} is ${stdout.trim()}`);
  }
  throw new Error(
    `The Python example needs Python 3.10 or later as python3 on the PATH; ${found.join(', ') || 'there is none'}. Install it (Debian and Ubuntu: apt install python3 python3-pip), then run the test again.`,
  );
}

/**
 * @returns the directory that holds the packages. Test processes may race: each builds its own, and the first
 * one stays.
 */
async function installPackages(command: string, fingerprint: string): Promise<string> {
  const requirements = path.join(EXAMPLE_DIR, 'requirements.txt');
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .update(fingerprint);
  const directory = path.join(CACHE_DIR, hash.digest('hex').slice(0, 16));
  if (existsSync(directory)) return directory;

  const pip = await run(command, ['-m', 'pip', '--version'], RUN_TIMEOUT_MS, process.env);
  if (pip.exitCode !== 0) {
    throw new Error(
      `The Python example needs pip for ${command}: install it (Debian and Ubuntu: apt install python3-pip; elsewhere: ${command} -m ensurepip), then run the test again. ${pip.stderr.trim()}`,
    );
  }
  await mkdir(CACHE_DIR, { recursive: true });
  const building = await mkdtemp(path.join(CACHE_DIR, 'building-'));
  try {
    // Wheels only: without one for this platform pip would try to compile the SDK, for minutes and with Rust.
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'];
    const target = ['--only-binary', ':all:', '--target', building, '--requirement', requirements];
    const { exitCode, stderr } = await run(command, [...args, ...target], INSTALL_TIMEOUT_MS, process.env);
    if (exitCode !== 0) {
      throw new Error(
        `pip could not install examples/python/requirements.txt; see that ${command} -m pip reaches its package index (network, proxy, pip configuration), then run the test again. pip said:\n${stderr.trim()}`,
      );
    }
    await rename(building, directory).catch((error: unknown) => {
      if (!existsSync(directory)) throw error;
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return directory;
}

function run(command: string, args: string[], timeoutMs: number, env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: EXAMPLE_DIR, env, timeout: timeoutMs, killSignal: 'SIGKILL' } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      // A command that is not there has an error code in words, such as ENOENT.
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      const said = exitCode === null && stderr === '' ? String(error) : stderr;
      resolve({ exitCode, stdout, stderr: said });
    });
  });
}

function withoutTemporalSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}
