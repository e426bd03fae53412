import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import type { FoundBrowser } from './find-browser';

/**
 * The Chromium of the npm package @sparticuz/chromium, unpacked once into node_modules/.cache. The package
 * has the libraries that a minimal Debian lacks (NSS, expat). It has no font, and without a font its pages
 * crash.
 *
 * Release 143 is the last one for Node 20.
 *
 * @throws Error this is not Linux on x64, or the package is not installed
 */
export async function packagedBrowser(): Promise<FoundBrowser> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('the npm package @sparticuz/chromium holds a browser for Linux on x64 only');
  // Its package.json is not exported. The entry is two folders below the root.
  const root = path.resolve(path.dirname(require.resolve('@sparticuz/chromium')), '../..');
  const fonts = path.join(path.dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const cache = path.resolve(root, '../../.cache');
  const directory = path.join(cache, 'republish-chromium-143');
  if (!existsSync(path.join(directory, 'chromium'))) await unpack(path.join(root, 'bin'), cache, directory);
  // Each time: the project, and the cache with it, may have moved.
  await writeFile(path.join(directory, 'fonts.conf'), fontsConf(directory, fonts));
  return {
    path: path.join(directory, 'chromium'),
    env: { LD_LIBRARY_PATH: path.join(directory, 'lib'), FONTCONFIG_PATH: directory },
  };
}

/** Unpacks into another folder and renames it: another process may unpack at the same moment. */
async function unpack(packed: string, cache: string, directory: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const next = await mkdtemp(`${directory}.`);
  try {
    await Promise.all([
      untar(path.join(packed, 'al2023.tar.br'), next),
      untar(path.join(packed, 'fonts.tar.br'), next),
      pipeline(
        createReadStream(path.join(packed, 'chromium.br')),
        createBrotliDecompress(),
        createWriteStream(path.join(next, 'chromium')),
      ),
    ]);
    chmodSync(path.join(next, 'chromium'), 0o755);
    await rename(next, directory).catch((error: unknown) => {
      if (!existsSync(path.join(directory, 'chromium'))) throw error;
    });
  } finally {
    await rm(next, { recursive: true, force: true });
  }
}

/** Through a file: tar stops at the end mark of the archive, and a pipe with data after it would break. */
async function untar(archive: string, directory: string): Promise<void> {
  const file = path.join(directory, `${path.basename(archive)}.tar`);
  await pipeline(createReadStream(archive), createBrotliDecompress(), createWriteStream(file));
  const tar = spawn('tar', ['-x', '-f', file, '-C', directory], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(tar, 'close')) as [number | null];
  if (code !== 0) throw new Error(`tar could not unpack ${path.basename(archive)}`);
  await rm(file);
}

function fontsConf(directory: string, fonts: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${fonts}</dir>
  <dir>${path.join(directory, 'fonts')}</dir>
  <cachedir>${path.join(directory, 'fonts-cache')}</cachedir>
</fontconfig>
`;
}
