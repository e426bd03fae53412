import { createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ensureError } from '../../../contract/failures';
import { UsageError } from '../fail';
import { MARK } from './page';

/** A report has its mark within so many bytes. */
const HEAD_BYTES = 2_000;

/**
 * Writes a page to a file: all of it or nothing. It replaces an earlier report, but no other file.
 *
 * @throws UsageError
 */
export async function writePage(file: string, page: Iterable<string>): Promise<void> {
  await refuseOther(file);
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  try {
    await pipeline(Readable.from(page), createWriteStream(beside, { flags: 'wx' }));
    await rename(beside, file);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw new UsageError(
      `${file} cannot be written: ${ensureError(thrown).message}`,
      'Name a file in a folder that is there and may be written to.',
    );
  }
}

async function refuseOther(file: string): Promise<void> {
  const there = await stat(file).catch(() => undefined);
  if (there === undefined) return;
  const handle = there.isFile() ? await open(file).catch(() => undefined) : undefined;
  try {
    if (there.isFile() && there.size === 0) return;
    const head = await handle?.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES);
    if (head?.buffer.toString('latin1').includes(MARK)) return;
  } finally {
    await handle?.close();
  }
  throw new UsageError(
    `${file} is there, and is no report of this program: it was left as it is`,
    'Name another file, or remove that one first.',
  );
}
