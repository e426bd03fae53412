import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { packagedBrowser } from './packaged-browser';

export interface FoundBrowser {
  /** The binary. */
  path: string;
  /** Further environment variables for the browser. */
  env: Record<string, string>;
}

const VARIABLE = 'REPUBLISH_CHROMIUM';
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/**
 * Browsers in the order in which they are tried: only the one of REPUBLISH_CHROMIUM, or those on PATH and
 * then the one of the npm package @sparticuz/chromium.
 */
export function browserCandidates(): (() => Promise<FoundBrowser>)[] {
  const named = process.env[VARIABLE];
  if (named) return [() => Promise.resolve({ path: named, env: {} })];
  const onPath = NAMES.flatMap((name) =>
    (process.env.PATH ?? '').split(path.delimiter).map((directory) => path.join(directory, name)),
  ).filter(isExecutable);
  return [...onPath.map((file) => () => Promise.resolve({ path: file, env: {} })), packagedBrowser];
}

/** The remedy when there is no browser. */
export const BROWSER_REMEDY =
  `install Chromium (Debian: apt-get install chromium), name one in ${VARIABLE}, ` +
  'or on Linux x64 let npm ci install the development packages, one of which brings it';

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return existsSync(file);
  } catch {
    return false;
  }
}
